from .factory import build as build
from .spec import ModelName as ModelName
from .spec import ModelSpec as ModelSpec
from .spec import Stem as Stem
from .structure import blocks as blocks
from .structure import prunable as prunable
