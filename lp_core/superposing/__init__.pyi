from .cheap_tickets import Superposing as Superposing
from .costs import TrainingCost as TrainingCost
from .rates import fge_lr as fge_lr
from .rates import rate as rate
from .rates import swa_lr as swa_lr
from .rates import ticket_iteration as ticket_iteration
from .spec import EndingSpec as EndingSpec
