"""The registry of corruptions: a new one is a function here and a line in `__init__.pyi`.

An entry is called with images (uint8, N×H×W×C), a severity (1–5) and `Streams` of random numbers,
one for each image; it returns new images of the same shape.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
