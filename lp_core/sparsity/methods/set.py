"""Sparse Evolutionary Training.

Reference: Mocanu et al. 2018, Scalable training of artificial neural networks with adaptive sparse
connectivity inspired by network science.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.sparsity.dynamic import DynamicMethod

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Set(DynamicMethod):
    """Connections of small weights go; others come at random."""

    def growth_scores(
        self,
        weights: "Mapping[str, Tensor]",
        _gradients: "Callable[[], Mapping[str, Tensor]]",
        seed: int,
    ) -> "Mapping[str, Tensor]":
        from lp_core.sparsity.random_draws import random_scores

        return random_scores(weights, seed)
