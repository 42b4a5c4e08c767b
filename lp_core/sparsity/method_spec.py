"""Where sparse training methods are found."""

from typing import TYPE_CHECKING

from lp_core import faces
from lp_core.errors import InputError

if TYPE_CHECKING:
    from lp_core.sparsity.method import SparseMethod

# By name.
METHODS = "lp_core.sparsity.methods"


def method_class(name: str) -> "type[SparseMethod]":
    """The class of a sparse training method; its fields are its settings. PyTorch is not imported.

    name: such as `rigl` or `erk`. Raises InputError, with the names that there are, for another
    one.
    """
    known = faces.names(METHODS)
    if name not in known:
        raise InputError(f"recipe {name!r} is unknown; it can be one of {', '.join(known)}")
    method: type[SparseMethod] = faces.member(METHODS, name)
    return method
