"""The pruning step between two rounds of iterative magnitude pruning (Algorithm 1, line 3)."""

import torch
from torch import Tensor

from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket


def next_mask(parent: Ticket, fraction: float) -> dict[str, Tensor]:
    """The parent's mask less the `fraction` of its weights that are smallest in magnitude.

    At least one weight survives. A weight that is pruned once stays pruned.
    """
    keep = max(1, parent.kept - round(fraction * parent.kept))
    tiny = torch.finfo(torch.float32).tiny
    # A surviving weight that training made zero (or NaN) still goes before a pruned one.
    magnitudes = {
        name: parent.weights[name].abs().nan_to_num(nan=0.0).clamp_min(tiny) * mask
        for name, mask in parent.mask.items()
    }
    return magnitude_mask(magnitudes, keep)
