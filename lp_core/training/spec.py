"""Settings of a training run."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from lp_core.data.augment_spec import AugmentSpec
from lp_core.errors import InputError
from lp_core.training.schedules import Schedule


class Seeds(NamedTuple):
    """The two seeds of a run. init: of the weights. noise: of data order and augmentation."""

    init: int
    noise: int


@dataclass(frozen=True)
class TrainSpec:
    """SGD with momentum, from the rewind point to `epochs`.

    batch_size: images a step, over all devices together. devices: processes to spread them over
    (DistributedDataParallel). init, noise: seed of the weights; seed of the data order and the
    augmentation. None: the run's entry of `seeds`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: int
    batch_size: int
    momentum: float
    weight_decay: float
    schedule: Schedule
    augment: AugmentSpec
    devices: int = 1
    init: int | None = None
    noise: int | None = None

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
        for name in ("init", "noise"):
            seed = getattr(self, name)
            if seed is not None and not 0 <= seed < 2**63:
                raise InputError(
                    f"{name} is {seed}; give 0 or more, below 2**63, or null for the entry of seeds"
                )

    def seeds(self, seed: int) -> Seeds:
        """The two seeds of a run whose entry of `seeds` is `seed`."""
        init = seed if self.init is None else self.init
        noise = seed if self.noise is None else self.noise
        return Seeds(init, noise)


@dataclass(frozen=True)
class RewindSpec:
    """Where tickets rewind to.

    mode: `fixed`, at `epochs` (0 is the initialisation: no rewinding); or `stable`, at the first
    epoch from which trainings are stable to SGD noise, whatever `epochs` says.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: int
    mode: Literal["fixed", "stable"] = "fixed"

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise InputError(f"epochs is {self.epochs}; give 0 (no rewinding) or more")
