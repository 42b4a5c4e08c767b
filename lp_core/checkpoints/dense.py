"""Tensors as a network has them: dense, their numbers in memory, each under a name."""

from collections.abc import Mapping

from torch import Tensor, strided

from lp_core.errors import InputError

_MOST_REPEATED = 2**30  # bytes that few stored numbers may stand for (`expand`)


def require_dense(tensors: Mapping[str, Tensor]) -> None:
    """Raises InputError for a tensor that no network of floating-point weights takes, before
    anything is computed on it: a sparse, nested or quantised one, or one without numbers."""
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not name.isprintable():
            raise InputError(f"a tensor is called {name!r}; names are those of a state_dict")
        if tensor.is_meta:
            raise InputError(
                f"{name} has a shape, but no values; save the network that was trained"
            )
        if kind := _other_kind(tensor):
            raise InputError(f"{name} is {kind}; save the network's weights as dense numbers")


def _other_kind(tensor: Tensor) -> str | None:
    if tensor.is_quantized:
        return f"quantised ({tensor.dtype})"
    if tensor.is_nested:
        return "nested"
    if tensor.layout is not strided:
        return f"sparse ({tensor.layout})"
    size = tensor.numel() * tensor.element_size()
    if size > max(_MOST_REPEATED, tensor.untyped_storage().nbytes()):
        return f"one of {size:,} bytes, of which the file has few"
    return None
