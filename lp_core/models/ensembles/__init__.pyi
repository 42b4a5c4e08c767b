from .batch_ensemble import BatchEnsemble as BatchEnsemble
from .tree_net import TreeNet as TreeNet
