"""The pruning step between two rounds of iterative magnitude pruning (Algorithm 1, line 3)."""

from torch import Tensor

from lp_core.sparsity.magnitude import magnitude_mask_within
from lp_core.tickets import Ticket


def next_mask(parent: Ticket, fraction: float) -> dict[str, Tensor]:
    """The parent's mask less the `fraction` of its weights that are smallest in magnitude.

    At least one weight survives. A weight that is pruned once stays pruned.
    """
    keep = max(1, parent.kept - round(fraction * parent.kept))
    return magnitude_mask_within(parent.mask, parent.weights, keep)
