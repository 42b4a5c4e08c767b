from .ema import Ema as Ema
from .greedy_soup import GreedySoup as GreedySoup
from .search import Search as Search
from .swa import Swa as Swa
from .uniform_soup import UniformSoup as UniformSoup
