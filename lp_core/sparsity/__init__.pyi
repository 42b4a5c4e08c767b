from .magnitude import magnitude_mask as magnitude_mask
from .rounds import next_mask as next_mask
from .spec import ImpSpec as ImpSpec
from .spec import Round as Round
