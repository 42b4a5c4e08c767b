"""`corrupt`: one corruption of one severity over a batch of images.

After Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (2019), the CIFAR variant: the published severity constants, for images of any size.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from lp_core import faces
from lp_core.corruptions.imaging import Images
from lp_core.corruptions.spec import KINDS
from lp_core.corruptions.streams import Streams
from lp_core.errors import InputError

# Values worked on at once, some megabytes as floats: small enough for a processor's cache.
CHUNK_VALUES = 1 << 18


def corrupt(
    images: npt.NDArray[Any], name: str, severity: int, seed: int, *, first: int = 0
) -> Images:
    """Corrupted copies of images.

    images: uint8, N×H×W×C, C = 1 (grey) or 3 (RGB), any H and W; never modified.
    name: an entry of `lp_core.corruptions.kinds`. severity: 1–5. seed: ≥ 0.
    first: the index in its set of the first image given. Image i's randomness comes from (seed,
    name, severity, i) alone, so that a set may be corrupted piece by piece:
    ``corrupt(x, …)[a:b]`` equals ``corrupt(x[a:b], …, first=a)``.

    Lengths (radii, shifts, σ) are CIFAR-C's at 32 pixels and grow with the shorter side; noise,
    JPEG's blocks and all strengths do not. Some images stay as they are: `saturate` has nothing to
    do on grey ones, the milder blurs nothing on very small ones.

    Raises InputError for an unknown name, a severity outside 1–5, a negative seed or index, and
    images of another type or shape.
    """
    _check(images, name, severity, seed, first)
    function = faces.member(KINDS, name)
    out = np.empty(images.shape, np.uint8)
    step = max(1, CHUNK_VALUES // max(1, images[:1].size))
    for start in range(0, len(images), step):
        chunk = np.ascontiguousarray(images[start : start + step])
        streams = Streams(seed, name, severity, first + start, len(chunk))
        out[start : start + step] = function(chunk, int(severity), streams)
    return out


def _check(images: npt.NDArray[Any], name: str, severity: int, seed: int, first: int) -> None:
    if name not in faces.names(KINDS):
        known = ", ".join(faces.names(KINDS))
        raise InputError(f"unknown corruption {name!r}; known are {known}")
    if not isinstance(severity, (int, np.integer)) or not 1 <= severity <= 5:
        raise InputError(f"severity must be a whole number from 1 to 5, not {severity!r}")
    for label, value in (("seed", seed), ("first", first)):
        if not isinstance(value, (int, np.integer)) or value < 0:
            raise InputError(f"{label} must be a whole number, 0 or more, not {value!r}")
    if not isinstance(images, np.ndarray):
        raise InputError(f"images must be a NumPy array, not {type(images).__name__}")
    if images.dtype != np.uint8:
        raise InputError(f"images must be uint8 (0–255), not {images.dtype}")
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
        raise InputError(
            f"images must be N×H×W×C with C = 1 or 3, not of shape {images.shape}; "
            "a single image needs a leading axis of 1"
        )
