"""A dense run, the reference of all sparse ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.errors import InputError
from lp_core.sparsity.method import SparseMethod

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Dense(SparseMethod):
    """Every weight is kept, so there is nothing to explore."""

    density: float = 1.0

    def __post_init__(self) -> None:
        if self.density != 1:
            raise InputError(f"density is {self.density}; that of a dense run is 1: leave it out")

    def explore(
        self,
        masks: "Mapping[str, Tensor]",
        _weights: "Mapping[str, Tensor]",
        _gradients: "Callable[[], Mapping[str, Tensor]]",
        _prune_rate: float,
        _seed: int,
    ) -> "dict[str, Tensor]":
        return dict(masks)
