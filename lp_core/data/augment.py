"""The augmentation of the papers' CIFAR recipe, for a whole batch at once: pad, crop, flip.

Draws are made on the CPU for a whole epoch in advance, so that every device, and every share of a
batch, sees the same ones; the pixels then move in a few tensor operations on the images' device.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lp_core.data.augment_spec import AugmentSpec


class Draws(NamedTuple):
    """What happens to each image. corners: int64 N×2, top and left in 0..2·crop; flips: bool N."""

    corners: Tensor
    flips: Tensor


def draw(count: int, spec: AugmentSpec, generator: torch.Generator) -> Draws:
    """Draws for `count` images; uniform over the places, and an even chance of a flip."""
    corners = torch.randint(0, 2 * spec.crop + 1, (count, 2), generator=generator)
    flips = torch.randint(0, 2, (count,), generator=generator).bool()
    return Draws(corners, flips if spec.flip else torch.zeros_like(flips))


def crop_and_flip(images: Tensor, draws: Draws, spec: AugmentSpec) -> Tensor:
    """Carries the draws out: images N×H×W×C in, new images of the same shape and dtype out."""
    if spec.crop:
        _, height, width, _ = images.shape
        padded = functional.pad(images, (0, 0, spec.crop, spec.crop, spec.crop, spec.crop))
        # A view of every possible window, N×top×left×C×H×W, from which each image takes one.
        windows = padded.unfold(1, height, 1).unfold(2, width, 1)
        rows = torch.arange(len(images), device=images.device)
        images = windows[rows, draws.corners[:, 0], draws.corners[:, 1]].permute(0, 2, 3, 1)
    if spec.flip:
        images = torch.where(draws.flips[:, None, None, None], images.flip(2), images)
    return images
