from .dense import Dense as Dense
from .erk import Erk as Erk
from .granet import Granet as Granet
from .rigl import Rigl as Rigl
from .set import Set as Set
from .snip import Snip as Snip
from .uniform import Uniform as Uniform
