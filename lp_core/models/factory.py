"""Builds a network by name for given images and classes, with weights drawn from a seed.

Convolution and linear weights come from one generator of the function's own, in forward order: the
same seed gives the same network whatever was drawn before, on every version of the libraries that
supply the architectures. Layers of other kinds keep what their constructors drew, from that seed.
"""

from collections.abc import Sequence

import torch
from torch import nn

from lp_core.errors import InputError
from lp_core.models.spec import ModelSpec, StemChoice


def _initialise(model: nn.Module, seed: int) -> None:
    """Draws convolutions by He et al.'s normal (fan-out), linear weights as PyTorch does."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def build(
    name: str,
    classes: int,
    channels: int,
    size: int | Sequence[int],
    stem: StemChoice = "auto",
    *,
    seed: int,
) -> nn.Module:
    """A network on the CPU that maps images B×channels×H×W to logits B×classes.

    size: the images' side or [height, width] in pixels. stem: see `ModelSpec`. seed: of the
    weights; the global random state is neither read nor changed. Raises InputError for an unknown
    name, a stem that the network does not have, fewer than one channel or two classes, and images
    too small for it.
    """
    height, width = (size, size) if isinstance(size, int) else size
    spec = ModelSpec(name, stem)
    network, chosen = spec.network, spec.stem_for(height, width)
    if classes < 2:
        raise InputError(f"{name} needs at least 2 classes, but classes is {classes}")
    if channels < 1:
        raise InputError(f"{name} needs at least 1 image channel, but channels is {channels}")
    least = network.smallest_side[chosen]
    if min(height, width) < least:
        raise InputError(
            f"{name} with the {chosen} stem needs images of at least {least}×{least} pixels, but "
            f"they are {height}×{width}; resize them in the data set's settings, or choose another "
            "network"
        )
    # The constructors draw from the global state: let them draw from a fork.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = network.skeleton(classes, channels, chosen)
    _initialise(model, seed)
    return model
