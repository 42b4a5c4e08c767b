"""The registry of efficient ensembles: several members in one network, which share weights.

Sup-tickets, table 6, compares the diversity of cheap tickets with theirs. A new one is a file here
and a line in `__init__.pyi`; an entry is a class of `lp_core.models.ensembles.ensemble.Ensemble`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
