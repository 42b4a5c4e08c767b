"""The pruning step between two rounds of iterative magnitude pruning (Algorithm 1, line 3)."""

from torch import Tensor

from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket


def next_mask(parent: Ticket, fraction: float) -> dict[str, Tensor]:
    """The parent's mask less the `fraction` of its weights that are smallest in magnitude.

    At least one weight survives. A weight that is pruned once stays pruned.
    """
    keep = max(1, parent.kept - round(fraction * parent.kept))
    # The survivors are ranked among themselves: a weight that training made zero (or NaN) still
    # outranks one that was pruned before.
    survivors = {name: parent.weights[name][mask] for name, mask in parent.mask.items()}
    kept = magnitude_mask(survivors, keep)
    return {name: mask.masked_scatter(mask, kept[name]) for name, mask in parent.mask.items()}
