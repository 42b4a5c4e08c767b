"""Networks that others trained, as their files hold them: weights and masks by name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
