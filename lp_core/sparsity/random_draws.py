"""Masks and scores drawn at random, from a seed, the same on every device."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lp_core.sparsity.densities import kept_counts


def random_masks(
    shapes: Mapping[str, Sequence[int]], densities: Mapping[str, float], keep: int, seed: int
) -> dict[str, Tensor]:
    """For each layer a mask, on the CPU, that keeps `densities` of its weights drawn at random.

    Together they keep exactly `keep`; see `kept_counts`, also for errors.
    """
    generator = torch.Generator().manual_seed(seed)
    masks: dict[str, Tensor] = {}
    for name, count in kept_counts(shapes, densities, keep).items():
        size = math.prod(shapes[name])
        mask = torch.zeros(size, dtype=torch.bool)
        mask[torch.randperm(size, generator=generator)[:count]] = True
        masks[name] = mask.view(*shapes[name])
    return masks


def random_scores(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """For each weight a number between 0 and 1, of its shape, where it lies."""
    generator = torch.Generator().manual_seed(seed)
    # Of double precision, so that no two are equal: ties go by position.
    return {
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64).to(weight.device)
        for name, weight in weights.items()
    }
