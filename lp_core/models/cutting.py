"""A network's blocks in order.

The linear probes of SGD noise, section 5, read the features after each block.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn

from lp_core.errors import InputError


def blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The network cut into `stem`, `block1`, `block2` …, `head`, whose composition is the network.

    A block is a residual block, or in VGG-16 a convolution with what follows it; the head pools
    and flattens before it classifies. The blocks hold the model's own modules, not copies. Raises
    InputError for a network that `build` does not make.
    """
    if hasattr(model, "stem"):
        return dict(model.named_children())
    if hasattr(model, "features"):
        first, *middle = _vgg_features(model)
    elif hasattr(model, "layer1"):
        first, *middle = _resnet_features(model)
    else:
        raise InputError(
            f"cannot cut a {type(model).__name__} into blocks; use one that build() made"
        )
    body = {f"block{index}": block for index, block in enumerate(middle, start=1)}
    return {"stem": first, **body, "head": _head(model)}


def _vgg_features(model: Any) -> Iterator[nn.Module]:
    """Each convolution with its batch norm, its rectifier, and the max-pool if one comes next."""
    block: list[nn.Module] = []
    for module in model.features:
        if isinstance(module, nn.Conv2d) and block:
            yield nn.Sequential(*block)
            block = []
        block.append(module)
    yield nn.Sequential(*block)


def _resnet_features(model: Any) -> Iterator[nn.Module]:
    yield nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
    for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
        yield from layer


def _head(model: Any) -> nn.Module:
    classifier = model.classifier if hasattr(model, "classifier") else model.fc
    return nn.Sequential(model.avgpool, nn.Flatten(), classifier)
