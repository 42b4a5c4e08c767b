"""The 19 corruptions of CIFAR-C, batched, for images of any size."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
