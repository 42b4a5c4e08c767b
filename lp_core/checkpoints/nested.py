"""The network's tensors, where a file has more beside them: epochs, optimizers, a second network.

A state_dict is a mapping whose names are texts and of whose values at least one is an array of
floating-point numbers. What has `param_groups` is an optimizer's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from lp_core.errors import InputError

_OPTIMIZER = "param_groups"
_NAMED = 4  # state_dicts that an error names before it counts the rest


def state_dict(content: Any, key: str | None = None) -> dict[str, Tensor]:
    """The one state_dict in a file's content, or that at `key` (names joined by dots).

    Raises InputError where there is none, or more than one and no `key`.
    """
    try:
        found = dict(_state_dicts(content, ""))
    except RecursionError:
        raise InputError("its mappings have no end; save model.state_dict()") from None
    if key is None and len(found) == 1:
        return next(iter(found.values()))
    if key is not None and key in found:
        return found[key]
    if not found:
        raise InputError(
            f"it holds no network's weights by name ({type(content).__name__}); save "
            "model.state_dict()"
        )
    there = [repr(name) for name in found]
    listed = ", ".join(there[:_NAMED]) + (
        f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    )
    if key is None:
        raise InputError(f"it holds several networks, {listed}; say which one under `key`")
    raise InputError(f"it has no weights under key {key!r}; it has them under {listed}")


def _state_dicts(content: Any, at: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if not isinstance(content, Mapping) or _OPTIMIZER in content:
        return
    if not all(isinstance(name, str) for name in content):
        return
    inner = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not inner and any(t.ndim > 0 and t.is_floating_point() for t in tensors.values()):
        yield at, tensors
    for name, value in inner.items():
        yield from _state_dicts(value, f"{at}.{name}" if at else name)
