from .calibration import expected_calibration_error as expected_calibration_error
from .connectivity import error_barrier as error_barrier
from .diversity import disagreement as disagreement
from .diversity import kl_divergence as kl_divergence
from .forgetting import Forgotten as Forgotten
from .forgetting import difficulty as difficulty
from .masks import LayerChange as LayerChange
from .masks import compare_masks as compare_masks
