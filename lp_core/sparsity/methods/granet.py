"""Gradual pruning with neuroregeneration.

Reference: Liu et al. 2021, Sparse training via boosting pruning plasticity with neuroregeneration.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.errors import InputError
from lp_core.sparsity.dynamic import DynamicMethod

if TYPE_CHECKING:
    from lp_core.training.hooks import Hook


@dataclass(frozen=True, kw_only=True)
class Granet(DynamicMethod):
    """RigL whose density falls from update to update, by global magnitude, to the target.

    initial_density: of all prunable weights at the beginning. until: the epoch by which the density
    has come down to the target, along a cubic curve (Zhu and Gupta 2017); 110 of 250 on CIFAR and
    30 of 100 on ImageNet in the authors' code. The last update before it reaches the target.
    """

    initial_density: float = 0.5
    until: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.density <= self.initial_density <= 1:
            raise InputError(
                f"initial_density is {self.initial_density}; it must lie between density, which is "
                f"{self.density}, and 1"
            )
        if self.until < 1:
            raise InputError(f"until is {self.until}; give epoch 1 or later")
        if self.last_update is not None and self.last_update < self.until:
            raise InputError(
                f"last_update is {self.last_update}, but until is {self.until}: the target density "
                "would not be reached; give last_update at least until, or null"
            )

    def require_fits(self, epochs: int, superposing: int) -> None:
        super().require_fits(epochs, superposing)
        if self.until > min(epochs, superposing):
            what = "training ends" if epochs <= superposing else "superposing begins"
            raise InputError(
                f"until is {self.until}, but {what} after epochs {min(epochs, superposing)}; "
                "give that or less"
            )

    def density_at(self, step: int, steps_per_epoch: int) -> float:
        last = (self.until * steps_per_epoch - 1) // self.interval
        update = min(step // self.interval, last)
        left = (1 - update / last) ** 3 if last else 1.0
        return self.density + (self.initial_density - self.density) * left

    def updates(
        self, steps: int, steps_per_epoch: int, seed: int, stop: int | None = None
    ) -> "Hook":
        if self.until * steps_per_epoch <= self.interval:
            raise InputError(
                f"until is {self.until} epochs of {steps_per_epoch} steps, but interval is "
                f"{self.interval}: no update comes before it; give a smaller interval"
            )
        return super().updates(steps, steps_per_epoch, seed, stop)
