from . import networks as networks
from .cutting import blocks as blocks
from .factory import build as build
from .network import Network as Network
from .network import Stem as Stem
from .spec import ModelSpec as ModelSpec
from .spec import StemChoice as StemChoice
from .structure import prunable as prunable
