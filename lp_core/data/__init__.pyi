import lp_core.corruptions

from .adapt import adapted as adapted
from .augment_spec import AugmentSpec as AugmentSpec
from .build import build_dataset as build_dataset
from .epoch import Batch as Batch
from .loading import eval_batches as eval_batches
from .loading import load_images as load_images
from .loading import normalised_batches as normalised_batches
from .loading import train_loader as train_loader
from .memory import MemoryLoader as MemoryLoader
from .spec import DatasetSpec as DatasetSpec
from .store import Dataset as Dataset
from .store import Listing as Listing
from .store import Split as Split
from .stream import StreamLoader as StreamLoader
from .subsets import balanced_indices as balanced_indices
from .subsets import balanced_slices as balanced_slices
from .subsets import class_balanced_part as class_balanced_part
from .subsets import without as without

# lazy_loader reads imports within the package alone; `__init__.py` finds this one.
corrupt = lp_core.corruptions.corrupt
