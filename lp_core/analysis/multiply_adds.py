"""What a network multiplies, counted while it runs: every product of matrices, and every
convolution, whoever asks for it."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class MultiplyAdds(TorchDispatchMode):
    """While it lasts, adds up the multiply-adds of what PyTorch runs.

    count: of matrix products, convolutions and attention; what a convolution multiplies with its
    padding counts. Additions and products element by element count nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _PRODUCTS:
            self.count += _PRODUCTS[name](out, *args)
        elif name.startswith("_scaled_dot_product_") and not name.endswith("_backward"):
            self.count += _attention(*args)
        return out


def _product(_out: Tensor, a: Tensor, b: Tensor, *_: Any) -> int:
    return a.numel() * (b.shape[-1] if b.ndim > 1 else 1)


def _added(out: Tensor, _added: Tensor, a: Tensor, b: Tensor, *_: Any) -> int:
    return _product(out, a, b)


def _convolution(
    out: Tensor,
    images: Tensor,
    weight: Tensor,
    _bias: Any,
    _stride: Any,
    _padding: Any,
    _dilation: Any,
    transposed: bool,
    *_: Any,
) -> int:
    """Each weight once for each position of the output; transposed, of the input."""
    positions = images if transposed else out
    return weight.numel() * positions.shape[0] * prod(positions.shape[2:])


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> int:
    """Queries with keys, and what comes of it with values; each batch×heads×length×width."""
    return query.numel() * key.shape[-2] + query.numel() // query.shape[-1] * (
        value.shape[-2] * value.shape[-1]
    )


_PRODUCTS: dict[str, Callable[..., int]] = {
    "mm": _product,
    "bmm": _product,
    "mv": _product,
    "addmm": _added,
    "baddbmm": _added,
    "addmv": _added,
    "convolution": _convolution,
}


def multiply_adds(model: torch.nn.Module, images: Tensor) -> int:
    """Of one forward pass; a module that has a fused kernel for evaluation does without it."""
    # Attention has such a kernel where nobody asks for gradients.
    with torch.enable_grad(), MultiplyAdds() as counted:
        model(images.detach().requires_grad_() + 0)
    return counted.count
