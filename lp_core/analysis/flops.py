"""What a network costs to run on one image, dense or sparse.

Counts what sparse-training papers count (Sup-tickets, Table 3): the multiply-adds of convolutions
and linear layers, of which a masked weight needs none. Networks of other kinds multiply without
such a layer, too (attention, activations with each other): no mask saves any of that.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lp_core.errors import InputError
from lp_core.models.structure import CONVOLUTIONS, PROJECTIONS, TRANSPOSED, prunable


class Uses(NamedTuple):
    """What one image asks of a network.

    weights: how many times it multiplies each weight of a layer, by the names that `prunable` gives
    with "conv+linear": once for each position of a convolution's output (a transposed one's input),
    and for each token. others: multiply-adds of which no such weight is a factor.
    """

    weights: dict[str, int]
    others: int


def flops(
    model: nn.Module, input_shape: Sequence[int], masks: Mapping[str, Tensor] | None = None
) -> int:
    """Floating-point operations for one image of input_shape (C, H, W): 2 for each multiply-add.

    masks: for names of convolution or linear weights, a tensor of the weight's shape that is zero
    where the weight is pruned. Biases, normalisation, activations and pooling count nothing; what a
    convolution multiplies with its padding counts. The model is left as it was. Raises InputError
    for a mask that belongs to no such weight or has another shape.
    """
    multiplied = {name: model.get_parameter(name).numel() for name in _layers(model)}
    for name, mask in (masks or {}).items():
        if name not in multiplied:
            raise InputError(
                f"mask {name!r} belongs to no convolution or linear weight of the model"
            )
        if mask.shape != model.get_parameter(name).shape:
            raise InputError(
                f"mask {name!r} has shape {tuple(mask.shape)}, "
                f"but its weight has {tuple(model.get_parameter(name).shape)}"
            )
        multiplied[name] = int(mask.count_nonzero())
    uses = layer_uses(model, input_shape)
    return 2 * (uses.others + sum(multiplied[name] * n for name, n in uses.weights.items()))


def layer_uses(model: nn.Module, input_shape: Sequence[int]) -> Uses:
    """What one image of input_shape (C, H, W) asks of the network, which is left as it was.

    Of attention whose keys are not as many as its queries, the one matrix of projections counts
    with the mean of both.
    """
    names = {id(model.get_parameter(name)): name for name in _layers(model)}
    weights = dict.fromkeys(names.values(), 0)

    def count(module: nn.Module, inputs: tuple[Any, ...], given: dict[str, Any], out: Any) -> None:
        own = dict(module.named_parameters())
        for attribute, times in _times(module, inputs, given, out):
            # A weight that is computed from others is none of the module's parameters.
            if attribute in own and id(own[attribute]) in names:
                weights[names[id(own[attribute])]] += times

    # A real image, not one on the meta device: that imports the compiler, which takes seconds.
    some = next(model.parameters())
    image = torch.zeros(1, *input_shape, device=some.device, dtype=some.dtype)
    modes = {module: module.training for module in model.modules()}
    hooks = [m.register_forward_hook(count, with_kwargs=True) for m in model.modules()]
    model.eval()
    try:
        every = _multiply_adds(model, image)
    finally:
        for handle in hooks:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    layers = sum(model.get_parameter(name).numel() * times for name, times in weights.items())
    return Uses(weights, max(0, every - layers))


def _multiply_adds(model: nn.Module, image: Tensor) -> int:
    """Of one forward pass, whoever asks for them, a layer or `@`."""
    # The counter knows no fused kernel of attention on the CPU, nor the one that
    # `nn.MultiheadAttention` has where nobody asks for gradients.
    counter = FlopCounterMode(display=False)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(image.requires_grad_() + 0)
    return counter.get_total_flops() // 2


def _layers(model: nn.Module) -> list[str]:
    return prunable(model, "conv+linear")


def _times(
    module: nn.Module, inputs: tuple[Any, ...], given: dict[str, Any], out: Any
) -> Iterator[tuple[str, int]]:
    """How many times a call of a module has multiplied each of its own weights, by their names."""
    if isinstance(module, TRANSPOSED):
        yield "weight", inputs[0].numel() // module.in_channels
    elif isinstance(module, CONVOLUTIONS):
        yield "weight", out.numel() // module.out_channels
    elif isinstance(module, nn.Linear):
        yield "weight", out.numel() // module.out_features
    elif isinstance(module, nn.MultiheadAttention):
        named = dict(zip(("query", "key", "value"), inputs, strict=False)) | given
        of_each = [named[n].numel() // named[n].shape[-1] for n in ("query", "key", "value")]
        yield from zip(PROJECTIONS, (sum(of_each) // 3, *of_each), strict=True)
        # Not called as a module: its weight is handed on.
        yield "out_proj.weight", of_each[0]
