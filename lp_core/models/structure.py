"""The weights of a network that may be pruned.

Pruning acts on convolution weights, if asked on linear ones too (Lottery Pools' experiments prune
the former). They are found by looking at the network's modules, whoever wrote it.
"""

from collections.abc import Iterator
from typing import Literal

from torch import nn

from lp_core.errors import InputError

Prunable = Literal["conv", "conv+linear"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

# A linear layer in all but name: attention keeps its projections of queries, keys and values as
# parameters, in one matrix where their widths are equal.
PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def prunable(model: nn.Module, kind: Prunable = "conv") -> list[str]:
    """The names of the weights that may be pruned, in the order of the network's modules, which is
    forward order in the networks that `build` knows; never biases or batch norm.

    Convolutions of every dimension, transposed ones too; with "conv+linear" also linear layers and
    the projections of `nn.MultiheadAttention`. They are names of `model.named_parameters()`: a
    weight that several layers share counts once, and one that is computed from others
    (`torch.nn.utils.parametrizations`) does not. Raises InputError for another `kind`.
    """
    if kind not in ("conv", "conv+linear"):
        raise InputError(f"prunable is {kind!r}, but can be one of conv, conv+linear")
    parameters = dict(model.named_parameters())
    return [
        name
        for path, module in model.named_modules()
        for attribute in _weights(module, linear=kind == "conv+linear")
        if (name := f"{path}.{attribute}" if path else attribute) in parameters
    ]


def _weights(module: nn.Module, linear: bool) -> Iterator[str]:
    """What a module's own weights are called."""
    if isinstance(module, CONVOLUTIONS + TRANSPOSED) or (linear and isinstance(module, nn.Linear)):
        yield "weight"
    elif linear and isinstance(module, nn.MultiheadAttention):
        yield from PROJECTIONS
