"""What methods of dynamic sparse training have in common: every so many steps, connections of small
weights go and others come (Sup-tickets, section 3.1)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lp_core.errors import InputError
from lp_core.sparsity.method import SparseMethod

if TYPE_CHECKING:
    from lp_core.training.hooks import Hook

# What a cosine brings the prune rate down to, as in the authors' code.
_LOWEST_RATE = 0.005


@dataclass(frozen=True, kw_only=True)
class DynamicMethod(SparseMethod):
    """A sparse training method that explores its mask at every `interval`-th step.

    layers: how densities of layers are chosen at the beginning: `erk` or `uniform`.
    interval: steps between updates of the mask. prune_rate: share of a layer's connections that an
    update drops, and grows. decay: whether the prune rate falls along a `cosine` over the whole
    training, or is `constant`. last_update: the epoch from which on the mask stays; None: it does
    not.
    """

    layers: Literal["erk", "uniform"] = "erk"
    interval: int = 1000
    prune_rate: float = 0.5
    decay: Literal["cosine", "constant"] = "cosine"
    last_update: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("layers", ("erk", "uniform")), ("decay", ("cosine", "constant"))):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}; it can be one of {', '.join(known)}"
                )
        if self.interval < 1:
            raise InputError(f"interval is {self.interval}; give 1 step or more")
        if not 0 < self.prune_rate < 1:
            raise InputError(
                f"prune_rate is {self.prune_rate}; it must lie between 0 and 1 (a mask that never "
                "changes is the recipe erk or uniform)"
            )
        if self.last_update is not None and self.last_update < 1:
            raise InputError(
                f"last_update is {self.last_update}; give epoch 1 or later, or null for no last one"
            )

    def require_fits(self, epochs: int, superposing: int) -> None:  # noqa: ARG002
        if self.last_update is not None and self.last_update > epochs:
            raise InputError(
                f"last_update is {self.last_update}, but training ends after epochs {epochs}; "
                "give less, or null"
            )

    def layer_densities(
        self, shapes: Mapping[str, Sequence[int]], density: float
    ) -> dict[str, float]:
        from lp_core.sparsity.densities import erk_densities, uniform_densities

        rule = erk_densities if self.layers == "erk" else uniform_densities
        return rule(shapes, density)

    def prune_rate_at(self, step: int, steps: int) -> float:
        """The share of connections that an update at `step` of `steps` drops and grows."""
        if self.decay == "constant":
            return self.prune_rate
        fall = (1 + math.cos(math.pi * step / steps)) / 2
        return _LOWEST_RATE + (self.prune_rate - _LOWEST_RATE) * fall

    def updates(
        self, steps: int, steps_per_epoch: int, seed: int, stop: int | None = None
    ) -> "Hook":
        from lp_core.sparsity.updates import Updates

        ends = [steps] if stop is None else [steps, stop]
        if self.last_update is not None:
            ends.append(self.last_update * steps_per_epoch)
        return Updates(self, steps, steps_per_epoch, seed, min(ends))
