"""What the file of a ticket may name as its network.

Whoever makes a file chooses the name and the arguments in it, and reading a file must never run
what its maker wants to have run: `os:system` is an import path, too.
"""

import functools
import importlib
import importlib.util
import site
import sysconfig
from pathlib import Path
from typing import Any

from torch import nn

from lp_core.errors import InputError
from lp_core.models.spec import ModelSpec

_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
_PIPELINE = ("tasks", "flows", "presets")  # beside lp_core; they start programs and write files


def require_network(name: str) -> None:
    """Raises InputError unless a name is of the registry, of torchvision or timm, a class of
    `nn.Module`, or a function of the user's own, which lies where nothing is installed."""
    module = ModelSpec(name).own_module
    if module is None:
        return
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        return  # which `build` explains
    try:
        found: Any = importlib.import_module(module)
        for part in name.partition(":")[2].split("."):
            found = getattr(found, part)
    except Exception:
        return  # likewise
    while isinstance(found, functools.partial):
        found = found.func
    if isinstance(found, type) and issubclass(found, nn.Module):
        return
    if not _is_own(getattr(found, "__module__", None) or ""):
        raise InputError(
            f"{name} is no class of nn.Module and no function of yours; a file cannot have it "
            "called: build the network, then ticket.load_into(network)"
        )


def _is_own(module: str) -> bool:
    """Whether it is neither Python's, nor an installed package's, nor the pipeline's."""
    top = module.partition(".")[0]
    if not top or top in _PIPELINE:
        return False
    if top == "lp_core":
        return module.startswith("lp_core.models.")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # __main__ has none
        return top == "__main__"
    if spec is None:
        return False
    places = [*(spec.submodule_search_locations or [spec.origin or ""])]
    installed = [*map(sysconfig.get_path, _INSTALLED), site.getusersitepackages()]
    return all(
        place not in ("built-in", "frozen", "")
        and not any(Path(place).resolve().is_relative_to(Path(p).resolve()) for p in installed)
        for place in places
    )
