"""Static sparse training with the same density in every layer.

Reference: Gale et al. 2019, The state of sparsity in deep neural networks.
"""

from dataclasses import dataclass

from lp_core.sparsity.method import SparseMethod


@dataclass(frozen=True, kw_only=True)
class Uniform(SparseMethod):
    """A random mask, of the same density in every layer, that never changes."""
