"""Global magnitude pruning: one threshold over all prunable weights of a network.

Carries out the pruning step of Algorithm 1 (rounds) and the `MagnitudePruning` of Algorithms 2
and 3 (after each interpolation) of Lottery Pools.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lp_core.errors import InputError


def magnitude_mask(weights: Mapping[str, Tensor], keep: int) -> dict[str, Tensor]:
    """Masks under which exactly the `keep` weights of largest magnitude survive.

    weights: prunable tensors by name, any shapes; compared with each other as one population.
    keep: number of weights (not a fraction) that survive in all of them together.
    Returns one bool tensor of each weight's shape, laid out in memory as it is (`where` takes the
    layout of its mask). Equal magnitudes survive in order of position (first tensor first, then
    row-major), so that the result is unique. A NaN, as a diverged run leaves behind, counts as
    magnitude zero.

    Raises InputError if `keep` is negative or above the number of weights.
    """
    total = sum(weight.numel() for weight in weights.values())
    if not 0 <= keep <= total:
        raise InputError(f"keep is {keep}; there are {total} prunable weights to keep it from")
    if keep in (0, total):
        fill = keep == total
        return {name: torch.full_like(w, fill, dtype=torch.bool) for name, w in weights.items()}
    # At least float32 (numpy has no bfloat16), and no less than what the weights tell apart.
    magnitude = torch.cat(
        [
            w.detach().abs().to(torch.promote_types(w.dtype, torch.float32)).flatten()
            for w in weights.values()
        ]
    )
    magnitude.nan_to_num_(nan=0.0, posinf=float("inf"))
    threshold = _kth_largest(magnitude, keep)
    survives = magnitude > threshold
    ties = (magnitude == threshold).nonzero().flatten()
    survives[ties[: keep - int(survives.sum())]] = True
    parts = survives.split([weight.numel() for weight in weights.values()])
    return {
        name: torch.empty_like(weight, dtype=torch.bool).copy_(part.view(weight.shape))
        for (name, weight), part in zip(weights.items(), parts, strict=True)
    }


def _kth_largest(values: Tensor, k: int) -> Tensor:
    # torch.kthvalue is slower than numpy's partition and refused on CUDA as not deterministic.
    if values.is_cuda:
        return values.sort().values[-k]
    return torch.as_tensor(np.partition(values.numpy(), len(values) - k)[len(values) - k])


def magnitude_mask_within(
    masks: Mapping[str, Tensor], weights: Mapping[str, Tensor], keep: int
) -> dict[str, Tensor]:
    """Of what `masks` keep, the `keep` weights of largest magnitude.

    The kept ones are ranked among themselves: one that is zero (or NaN) still outranks one that is
    not kept. Otherwise as `magnitude_mask`, which see for errors.
    """
    survivors = magnitude_mask({name: weights[name][mask] for name, mask in masks.items()}, keep)
    return {name: mask.masked_scatter(mask, survivors[name]) for name, mask in masks.items()}
