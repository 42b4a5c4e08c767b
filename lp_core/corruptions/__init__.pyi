from . import kinds as kinds
from .apply import corrupt as corrupt
from .names import CORRUPTIONS as CORRUPTIONS
from .names import EXTRA as EXTRA
from .names import FAMILIES as FAMILIES
from .spec import CorruptSpec as CorruptSpec
