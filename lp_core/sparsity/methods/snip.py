"""Pruning at initialisation by connection sensitivity.

Reference: Lee et al. 2018, SNIP: Single-shot network pruning based on connection sensitivity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.sparsity.method import SparseMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lp_core.compute import Compute
    from lp_core.data.epoch import Batch


@dataclass(frozen=True, kw_only=True)
class Snip(SparseMethod):
    """Of all weights together, those with the largest |gradient · weight| on the first batch."""

    def initial_masks(
        self,
        model: "nn.Module",
        prunable: "Sequence[str]",
        first_batch: "Callable[[], Batch]",
        seed: int,
        compute: "Compute",
    ) -> "dict[str, Tensor]":
        from lp_core.seeds import mask_seed
        from lp_core.sparsity.magnitude import magnitude_mask
        from lp_core.sparsity.saliency import sensitivities

        scores = sensitivities(model, prunable, first_batch(), mask_seed(seed, 0), compute)
        weights = sum(score.numel() for score in scores.values())
        return magnitude_mask(scores, round(self.density * weights))
