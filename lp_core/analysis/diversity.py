"""How differently two networks predict.

Tickets that disagree much are likely to lie in different basins, where interpolating them does
not pay (Lottery Pools, section "Diversity analysis").
"""

import torch
from torch import Tensor

from lp_core.errors import InputError


def disagreement(preds_a: Tensor, preds_b: Tensor) -> float:
    """The share of images, 0–1, that two networks label differently (Lottery Pools, Figure 8).

    preds_a, preds_b: predicted classes, N integers each. Raises InputError for other shapes.
    """
    _same_shape(preds_a, preds_b, 1)
    return (preds_a != preds_b).double().mean().item()


def kl_divergence(probs_a: Tensor, probs_b: Tensor) -> float:
    """The mean over images of KL(a‖b), in nats: not symmetric, never negative.

    probs_a, probs_b: N×classes, rows sum to one. Infinite where b holds impossible what a does
    not. NaN where a probability is. Raises InputError for other shapes.
    """
    _same_shape(probs_a, probs_b, 2)
    a, b = probs_a.double(), probs_b.double()
    # xlogy(0, …) is 0: what a holds impossible adds nothing, whatever b says.
    terms = torch.special.xlogy(a, a) - torch.special.xlogy(a, b)
    return terms.sum(1).mean().clamp(min=0).item()  # rounding can leave −1e−17 for equal ones


def _same_shape(a: Tensor, b: Tensor, dimensions: int) -> None:
    if a.shape != b.shape or a.ndim != dimensions or len(a) == 0:
        raise InputError(
            f"predictions have shapes {tuple(a.shape)} and {tuple(b.shape)}; give two of the same "
            f"images, with {dimensions} dimension{'s' * (dimensions > 1)}"
        )
