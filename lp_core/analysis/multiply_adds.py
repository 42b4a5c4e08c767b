"""What a network multiplies, counted while it runs, and which of its weights are factors of it.

A product is a weight's where one of its operands lies in the weight's memory: the weight itself, or
a view, such as the third of it that attention projects its keys with. So it does not matter which
module asks for the product, or whether one does. PyTorch's own counter does not tell the weight.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class MultiplyAdds(TorchDispatchMode):
    """While it lasts, adds up the multiply-adds of what PyTorch runs.

    weights: by name, those of which a given weight is a factor; a weight that is not given, or is
    computed from a given one, has none. others: all others. Matrix products, convolutions and
    attention count, what a convolution multiplies with its padding too. Additions and products
    element by element count nothing.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.weights = dict.fromkeys(weights, 0)
        self.others = 0
        starts = {name: weight.data_ptr() for name, weight in weights.items()}
        self._memory = {n: range(at, at + weights[n].nbytes) for n, at in starts.items()}

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        count = _attention if name.startswith(_ATTENTION) else _PRODUCTS.get(name)
        if count is None:
            with self:  # in inference mode even a linear layer comes here as a whole
                out = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if out is NotImplemented else out
        out = func(*args, **kwargs)
        owner = next((n for a in args if isinstance(a, Tensor) and (n := self._owner(a))), None)
        if owner is None:
            self.others += count(out, *args)
        else:
            self.weights[owner] += count(out, *args)
        return out

    def _owner(self, operand: Tensor) -> str | None:
        at = operand.data_ptr()
        return next((name for name, memory in self._memory.items() if at in memory), None)


@contextmanager
def in_single_products() -> Iterator[None]:
    """While it lasts, PyTorch has no kernel that does the work of a whole layer in one."""
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)


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


def _bilinear(_out: Tensor, inputs: Tensor, weight: Tensor, *_: Any) -> int:
    return inputs.shape[0] * weight.numel()


def _recurrent(_out: Any, inputs: Tensor, of_input: Tensor, of_state: Tensor, *_: Any) -> int:
    """A layer of an LSTM as the CPU has it: both of its matrices, for each token."""
    return inputs.numel() // inputs.shape[-1] * (of_input.numel() + of_state.numel())


def _attention(_out: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any) -> int:
    """Queries with keys, and what comes of it with values; each batch×heads×length×width."""
    return query.numel() * key.shape[-2] + query.numel() // query.shape[-1] * (
        value.shape[-2] * value.shape[-1]
    )


_ATTENTION = "_scaled_dot_product_"
_PRODUCTS: dict[str, Callable[..., int]] = {
    "mm": _product,
    "bmm": _product,
    "mv": _product,
    "dot": _product,
    "addmm": _added,
    "addbmm": _added,
    "baddbmm": _added,
    "addmv": _added,
    "convolution": _convolution,
    "_trilinear": _bilinear,
    "mkldnn_rnn_layer": _recurrent,
}
