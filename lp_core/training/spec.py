"""Settings of a training run."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from lp_core.data.augment_spec import AugmentSpec
from lp_core.errors import InputError
from lp_core.training.schedules import Schedule


@dataclass(frozen=True)
class TrainSpec:
    """SGD with momentum, from the rewind point to `epochs`.

    batch_size: images a step, over all devices together. devices: processes to spread them over
    (DistributedDataParallel).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: int
    batch_size: int
    momentum: float
    weight_decay: float
    schedule: Schedule
    augment: AugmentSpec
    devices: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "devices"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.batch_size % self.devices:
            raise InputError(
                f"batch_size is {self.batch_size}; it must divide evenly by devices {self.devices}"
            )
        if self.schedule.warmup >= self.epochs:
            raise InputError(
                f"schedule.warmup is {self.schedule.warmup}, but training ends after epochs "
                f"{self.epochs}; give less"
            )
        if any(drop >= self.epochs for drop in self.schedule.drops):
            raise InputError(
                f"schedule.drops is {self.schedule.drops}, but training ends after epochs "
                f"{self.epochs}; give earlier ones"
            )
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum}; it must lie in 0 … 1")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay is {self.weight_decay}; give 0 or more")


@dataclass(frozen=True)
class RewindSpec:
    """epochs: where tickets rewind to; 0 is the initialisation (no rewinding)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: int

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise InputError(f"epochs is {self.epochs}; give 0 (no rewinding) or more")
