"""Networks for small and ImageNet-sized images, their prunable weights, and their blocks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
