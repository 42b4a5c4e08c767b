"""Sup-tickets: the last part of a sparse training makes several cheap tickets, which are superposed
into one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
