"""scikit-learn's handwritten digits: 1,797 grey images of 8×8, part of the package itself."""

import numpy as np

from lp_core.data.sources.examples import Examples, Published

_LEVELS = 16  # its pixels count how many of a 4×4 block were inked


def read_digits() -> Published:
    """All digits as one split, their 17 levels of grey spread over 0-255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / _LEVELS)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    return Published(
        [str(name) for name in digits.target_names], {"train": Examples(images, labels)}
    )
