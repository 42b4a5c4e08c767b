from .apply import corrupt as corrupt
from .registry import CORRUPTIONS as CORRUPTIONS
from .registry import EXTRA as EXTRA
from .registry import FAMILIES as FAMILIES
