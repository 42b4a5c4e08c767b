"""Connection sensitivity of an untrained network's weights (SNIP, Lee et al. 2018, equation 5)."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.epoch import Batch


def sensitivities(
    model: nn.Module, names: Sequence[str], batch: Batch, seed: int, compute: Compute
) -> dict[str, Tensor]:
    """gradient · weight of the named weights on one batch, on the compute device.

    The loss is that of training. model: left as it was. seed: of layers that draw at random.
    """
    network = compute.to_device(copy.deepcopy(model)).train()
    devices = [compute.device] if compute.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        with compute.autocast():
            logits = network(batch.images)
    weights = [network.get_parameter(name) for name in names]
    loss = nn.functional.cross_entropy(logits.float(), batch.labels)
    gradients = torch.autograd.grad(loss, weights)
    return {
        name: gradient * weight.detach()
        for name, gradient, weight in zip(names, gradients, weights, strict=True)
    }
