"""Parameter exploration: prune some connections and grow as many (Sup-tickets, equations 1, 2)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lp_core.sparsity.magnitude import magnitude_mask_within


@torch.no_grad()
def prune_and_grow(
    masks: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    scores: Mapping[str, Tensor],
    prune_rate: float,
) -> dict[str, Tensor]:
    """Masks of as many connections in each layer, a share of them others.

    masks: bool, by name. weights, scores: of their names and shapes. prune_rate: the share, 0–1,
    of a layer's connections to exchange, rounded to a whole number.

    In each layer the connections of smallest weight go (equation 1). Of all that are then not there
    those of largest |score| come (equation 2): one that has just gone may come straight back, as in
    RigL's and GraNet's code. Equals go and come by position; a NaN counts as 0.
    """
    explored: dict[str, Tensor] = {}
    for name, mask in masks.items():
        kept = int(mask.count_nonzero())
        exchanged = round(prune_rate * kept)
        (pruned,) = magnitude_mask_within({name: mask}, weights, kept - exchanged).values()
        (grown,) = magnitude_mask_within({name: ~pruned}, scores, exchanged).values()
        explored[name] = pruned | grown
    return explored
