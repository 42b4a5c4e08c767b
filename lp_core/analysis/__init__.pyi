from .calibration import expected_calibration_error as expected_calibration_error
from .masks import LayerChange as LayerChange
from .masks import compare_masks as compare_masks
