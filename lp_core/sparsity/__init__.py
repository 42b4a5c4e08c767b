"""Which weights survive: masks by magnitude, over the whole network at once or layer by layer, and
methods of sparse training, which change them while a network trains."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
