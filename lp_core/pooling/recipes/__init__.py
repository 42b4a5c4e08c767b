"""The registry of ways to pool: a new one is a file here and a line in `__init__.pyi`.

An entry is a subclass of `Recipe`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
