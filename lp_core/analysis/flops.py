"""What a network costs to run on one image, dense or sparse.

Counts what sparse-training papers count (Sup-tickets, Table 3): the multiply-adds of convolutions
and linear layers, of which a masked weight needs none.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from lp_core.errors import InputError


def flops(
    model: nn.Module, input_shape: Sequence[int], masks: Mapping[str, torch.Tensor] | None = None
) -> int:
    """Floating-point operations for one image of input_shape (C, H, W): 2 for each multiply-add.

    masks: for names of convolution or linear weights, a tensor of the weight's shape that is zero
    where the weight is pruned. Biases, batch norm, activations and pooling count nothing; what a
    convolution multiplies with its padding counts. The model is left as it was. Raises InputError
    for a mask that belongs to no such weight or has another shape.
    """
    layers = _layers(model)
    multiplied = {name: module.weight.numel() for name, module in layers.items()}
    for name, mask in (masks or {}).items():
        if name not in layers:
            raise InputError(
                f"mask {name!r} belongs to no convolution or linear weight of the model"
            )
        if mask.shape != layers[name].weight.shape:
            raise InputError(
                f"mask {name!r} has shape {tuple(mask.shape)}, "
                f"but its weight has {tuple(layers[name].weight.shape)}"
            )
        multiplied[name] = int(mask.count_nonzero())
    uses = layer_uses(model, input_shape)
    return sum(2 * multiplied[name] * uses[name] for name in layers)


def _layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """The layers that multiply, by the names of their weights."""
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def layer_uses(model: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """How many times one image of input_shape (C, H, W) multiplies each weight of a layer: once for
    each position of the layer's output.

    By the names of convolutions' and linear layers' weights. The model is left as it was.
    """
    layers = _layers(model)
    uses = dict.fromkeys(layers, 0)

    def count(name: str, output: torch.Tensor) -> None:
        outputs = layers[name].weight.shape[0]
        uses[name] += output.numel() // outputs

    def hook(name: str) -> torch.utils.hooks.RemovableHandle:
        return layers[name].register_forward_hook(lambda _module, _args, out: count(name, out))

    # A real image, not one on the meta device: that imports the compiler, which takes seconds.
    some = next(model.parameters())
    image = torch.zeros(1, *input_shape, device=some.device, dtype=some.dtype)
    modes = {module: module.training for module in model.modules()}
    hooks = [hook(name) for name in layers]
    model.eval()
    try:
        with torch.no_grad():
            model(image)
    finally:
        for handle in hooks:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return uses
