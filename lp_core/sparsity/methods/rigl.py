"""The rigged lottery.

Reference: Evci et al. 2020, Rigging the lottery: Making all tickets winners.
"""

from dataclasses import dataclass

from lp_core.sparsity.dynamic import DynamicMethod


@dataclass(frozen=True, kw_only=True)
class Rigl(DynamicMethod):
    """Connections of small weights go; those of large gradients come."""
