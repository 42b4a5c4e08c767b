"""Static sparse training with Erdős-Rényi-Kernel layer densities.

Reference: Evci et al. 2020, Rigging the lottery: Making all tickets winners.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lp_core.sparsity.method import SparseMethod


@dataclass(frozen=True, kw_only=True)
class Erk(SparseMethod):
    """A random mask, denser in small layers, that never changes."""

    def layer_densities(
        self, shapes: Mapping[str, Sequence[int]], density: float
    ) -> dict[str, float]:
        from lp_core.sparsity.densities import erk_densities

        return erk_densities(shapes, density)
