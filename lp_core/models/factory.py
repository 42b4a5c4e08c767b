"""Builds a network by name for given images and classes, with weights drawn from a seed.

Of the registry's networks, convolution and linear weights come from one generator of the function's
own, in forward order: the same seed gives the same network whatever was drawn before, on every
version of the libraries that supply the architectures. Layers of other kinds, and every network
that is named by an import path, keep what their constructors drew, from that seed.
"""

import importlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from lp_core.errors import InputError
from lp_core.models.spec import BY_IMPORT, FROM_FILE, ModelSpec, StemChoice


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
    arguments: Mapping[str, Any] | None = None,
    weights: str | None = None,
    *,
    seed: int,
) -> nn.Module:
    """A network on the CPU that maps images B×channels×H×W to logits B×classes.

    name, stem, arguments, weights: see `ModelSpec`. A constructor that is named by an import path
    also gets those of classes (num_classes), channels (in_channels, in_chans) and size (image_size,
    img_size) that its signature names and `arguments` do not. size: the images' side or [height,
    width] in pixels. seed: of the weights; the global random state is neither read nor changed.

    Raises InputError for a name that leads to no network, arguments that it does not take, a stem
    that it does not have, fewer than one channel or two classes, images too small for it, a network
    that does not map such images to logits, and weights of another network.
    """
    height, width = (size, size) if isinstance(size, int) else size
    spec = ModelSpec(name, stem, dict(arguments or {}), weights)
    if classes < 2:
        raise InputError(f"{name} needs at least 2 classes, but classes is {classes}")
    if channels < 1:
        raise InputError(f"{name} needs at least 1 image channel, but channels is {channels}")
    if spec.by_import:
        with _draws_of(seed):
            model = _module(BY_IMPORT).skeleton(spec, classes, channels, height, width)
    else:
        model = _registered(spec, classes, channels, height, width, seed)
    if weights is not None:
        _module(FROM_FILE).load_initial(model, weights, name)
    return model


def _module(name: str) -> Any:
    # By name, so that it is code of those networks alone that need it.
    return importlib.import_module(name)


def _registered(
    spec: ModelSpec, classes: int, channels: int, height: int, width: int, seed: int
) -> nn.Module:
    network, chosen = spec.network, spec.stem_for(height, width)
    least = network.smallest_side[chosen]
    if min(height, width) < least:
        raise InputError(
            f"{spec.name} with the {chosen} stem needs images of at least {least}×{least} pixels, "
            f"but they are {height}×{width}; resize them in the data set's settings, or choose "
            "another network"
        )
    with _draws_of(seed):
        model = network.skeleton(classes, channels, chosen)
    _initialise(model, seed)
    return model


@contextmanager
def _draws_of(seed: int) -> Iterator[None]:
    """While it lasts, the global generators (torch's on the CPU, NumPy's, Python's) draw from a
    seed: constructors draw from them."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
