"""Settings of linear probes."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from lp_core.errors import InputError

_MOST = 2**31 - 1  # passes, and features a step: far beyond any probe, and no overflow


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """How a linear probe is trained: SGD at one learning rate (SGD noise, appendix G).

    batch_size: features a step; the last step of an epoch has what is left.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    epochs: int = 5
    batch_size: int = 128
    lr: float = 0.005
    momentum: float = 0.9
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise InputError(f"{name} is {getattr(self, name)}; give 1 to {_MOST}")
        if not 0 < self.lr < math.inf:
            raise InputError(f"lr is {self.lr}; give more than 0")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum}; it must lie in 0 … 1")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay is {self.weight_decay}; give 0 or more")
