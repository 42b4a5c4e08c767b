from . import schedules as schedules
from .evaluation import Scores as Scores
from .evaluation import evaluate as evaluate
from .loop import train as train
from .resume import Epoch as Epoch
from .spec import RewindSpec as RewindSpec
from .spec import TrainSpec as TrainSpec
