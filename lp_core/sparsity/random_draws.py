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


def permuted_masks(masks: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Masks that keep as many weights of each layer, at places drawn at random.

    The baseline of SGD noise, section 5.1: what is left of a ticket if its layers' densities alone
    mattered. masks: bool tensors by name; each result has the device and the layout of its mask.
    """
    generator = torch.Generator().manual_seed(seed)
    permuted: dict[str, Tensor] = {}
    for name, mask in masks.items():
        order = torch.randperm(mask.numel(), generator=generator).to(mask.device)
        permuted[name] = torch.empty_like(mask).copy_(mask.flatten()[order].view(mask.shape))
    return permuted


def random_scores(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """For each weight a number between 0 and 1, of its shape, where it lies."""
    generator = torch.Generator().manual_seed(seed)
    # Of double precision, so that no two are equal: ties go by position.
    return {
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64).to(weight.device)
        for name, weight in weights.items()
    }
