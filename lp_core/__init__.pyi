from . import analysis as analysis
from . import data as data
from . import models as models
from . import pooling as pooling
from . import sparsity as sparsity
from . import tables as tables
from . import tickets as tickets
from . import training as training
