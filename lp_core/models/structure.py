"""The weights of a network that may be pruned.

Pruning acts on convolution weights, if asked on linear ones too (Lottery Pools' experiments prune
the former).
"""

from typing import Literal

from torch import nn

from lp_core.errors import InputError

Prunable = Literal["conv", "conv+linear"]


def prunable(model: nn.Module, kind: Prunable = "conv") -> list[str]:
    """The names of the weights that may be pruned, in forward order; never biases or batch norm.

    They are names of `model.named_parameters()`. Raises InputError for another `kind`.
    """
    kinds: dict[str, tuple[type[nn.Module], ...]] = {
        "conv": (nn.Conv2d,),
        "conv+linear": (nn.Conv2d, nn.Linear),
    }
    if kind not in kinds:
        raise InputError(f"prunable is {kind!r}, but can be one of {', '.join(kinds)}")
    return [
        f"{name}.weight" if name else "weight"
        for name, module in model.named_modules()
        if isinstance(module, kinds[kind])
    ]
