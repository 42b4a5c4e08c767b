from .ema import Ema as Ema
from .ema_newcomer import EmaNewcomer as EmaNewcomer
from .greedy_soup import GreedySoup as GreedySoup
from .search import Search as Search
from .swa import Swa as Swa
from .uniform_soup import UniformSoup as UniformSoup
