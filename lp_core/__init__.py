"""The science of Lottery Pools, Sup-tickets and SGD noise: PyTorch only, no workflow engine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
