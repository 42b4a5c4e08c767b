"""The registry of sparse training methods: a new one is a file here and a line in `__init__.pyi`.

An entry is a subclass of `SparseMethod`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
