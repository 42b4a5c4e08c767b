"""Image sets: reading, splitting, storing, loading with augmentation; `corrupt` is here, too."""

import importlib
from typing import Any

import lazy_loader

_from_stub, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "corrupt"]


def __getattr__(name: str) -> Any:
    if name == "corrupt":
        # By its name alone: who imports from this package does not import the corruptions.
        return importlib.import_module("lp_core.corruptions").corrupt
    return _from_stub(name)


def __dir__() -> list[str]:
    return __all__
