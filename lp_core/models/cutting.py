"""A network's blocks in order.

The linear probes of SGD noise, section 5.1, read the features after each block; a TreeNet parts
its members between two of them.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn

from lp_core.errors import InputError
from lp_core.models.structure import prunable


def blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The network cut into `stem`, `block1`, `block2` …, `head`, whose composition is the network.

    A block is a residual block, or a layer with weights and the layers without that follow it; the
    head pools and flattens before it classifies. The blocks hold the model's own modules, not
    copies. Networks that can be cut are an `nn.Sequential`, which says what follows what, and
    torchvision's residual networks and VGG. Raises InputError for another, and for one of a single
    layer.
    """
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if type(model) is nn.Sequential and hasattr(model, "stem") and hasattr(model, "head"):
        return dict(model.named_children())
    if kind == _VGG or (type(model) is nn.Sequential and [*model._modules] == _AS_VGG):
        first, *middle = _vgg_features(model)
        head = _head(model)
    elif kind == _RESNET:
        first, *middle = _resnet_features(model)
        head = _head(model)
    elif type(model) is nn.Sequential:
        first, *middle, head = _grouped(model)
    else:
        raise InputError(
            f"{type(model).__name__} cannot be cut into blocks: only an nn.Sequential says which "
            "layer follows which"
        )
    body = {f"block{index}": block for index, block in enumerate(middle, start=1)}
    return {"stem": first, **body, "head": head}


def stations(model: nn.Module) -> dict[nn.Module, bool]:
    """The modules whose outputs are a network's features, and whether a block begins with each.

    Where the network can be cut, its blocks begin as `blocks` has them. In any other a block begins
    wherever a module with weights (`prunable`) runs, and goes on through those without that run
    after it. Its modules are the network's children; of a `Sequential`, a `ModuleList` or a
    `ModuleDict`, and of a child that holds most of the network and several blocks of one class,
    such as an encoder, theirs. In which order they run is known only when they do.
    """
    try:
        cut = list(blocks(model).values())
    except InputError:
        return {module: has_weights(module) for module in _within(model, model)}
    first = {next(_flat(block)) for block in cut}
    return {module: module in first for block in cut for module in _flat(block)}


def has_weights(module: nn.Module) -> bool:
    """Whether a module has weights that could be pruned."""
    return bool(prunable(module, "conv+linear"))


_VGG = "torchvision.models.vgg.VGG"
_RESNET = "torchvision.models.resnet.ResNet"
_AS_VGG = ["features", "avgpool", "flatten", "classifier"]
_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    """A module, or those that a plain list of modules holds; not those of a class of its own."""
    if type(module) in _LISTS:
        for child in module.children():
            yield from _flat(child)
    else:
        yield module


def _within(model: nn.Module, network: nn.Module) -> Iterator[nn.Module]:
    children = [each for child in model.children() for each in _flat(child)]
    weighty = [child for child in children if has_weights(child)]
    for child in children:
        wraps = weighty == [child] and any(child.children())
        yield from _within(child, network) if wraps or _is_trunk(child, network) else [child]


def _is_trunk(module: nn.Module, network: nn.Module) -> bool:
    """Whether a module holds most of the network, and two blocks or more of one class."""
    parts = [each for child in module.children() for each in _flat(child)]
    kinds = [type(part) for part in parts if any(part.children())]
    return len(set(kinds)) < len(kinds) and 2 * _size(module) > _size(network)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _grouped(model: nn.Sequential) -> Iterator[nn.Module]:
    """Each layer with weights, and those without that follow it; the first with those before."""
    groups: list[list[nn.Module]] = [[]]
    for module in _flat(model):
        if has_weights(module) and any(map(has_weights, groups[-1])):
            groups.append([])
        groups[-1].append(module)
    if len(groups) < 2:
        raise InputError("the network has a single layer with weights; there is nothing to cut")
    yield from (nn.Sequential(*group) for group in groups)


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
