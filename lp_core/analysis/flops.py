"""What a network costs to run on one image, dense or sparse.

Counts what sparse-training papers count (Sup-tickets, Table 3): the multiply-adds of convolutions
and linear layers, of which a masked weight needs none. Networks of other kinds multiply without
such a layer, too (attention, activations with each other): no mask saves any of that.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lp_core.analysis.multiply_adds import MultiplyAdds, in_single_products
from lp_core.errors import InputError
from lp_core.models.structure import prunable


class Uses(NamedTuple):
    """What one image asks of a dense network, in multiply-adds.

    weights: of each weight of a layer, by the names that `prunable` gives with "conv+linear". Each
    number of it takes an equal part in them. others: those of which no such weight is a factor.
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
    uses = layer_uses(model, input_shape)
    for name, mask in (masks or {}).items():
        if name not in uses.weights:
            raise InputError(
                f"mask {name!r} belongs to no convolution or linear weight of the model"
            )
        weight = model.get_parameter(name)
        if mask.shape != weight.shape:
            raise InputError(
                f"mask {name!r} has shape {tuple(mask.shape)}, "
                f"but its weight has {tuple(weight.shape)}"
            )
        uses.weights[name] = uses.weights[name] * int(mask.count_nonzero()) // weight.numel()
    return 2 * (uses.others + sum(uses.weights.values()))


def layer_uses(model: nn.Module, input_shape: Sequence[int]) -> Uses:
    """What one image of input_shape (C, H, W) asks of the network, which is left as it was.

    Of attention whose keys are not as many as its queries, the one matrix of projections counts
    as one: its parts are taken to be used alike.
    """
    weights = {name: model.get_parameter(name) for name in prunable(model, "conv+linear")}
    # A real image, not one on the meta device: that imports the compiler, which takes seconds.
    some = next(weight for weight in model.parameters() if weight.is_floating_point())
    image = torch.zeros(1, *input_shape, device=some.device, dtype=some.dtype)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad(), in_single_products(), MultiplyAdds(weights) as counted:
            model(image)
    finally:
        for module, training in modes.items():
            module.training = training
    return Uses(counted.weights, counted.others)
