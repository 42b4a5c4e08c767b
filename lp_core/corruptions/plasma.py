"""Plasma fractals by the diamond-square algorithm, many at once, for CIFAR-C's fog."""

import numpy as np

from lp_core.corruptions.streams import Floats


def plasma(noise: Floats, decay: float) -> Floats:
    """Fractal clouds in 0–1, each stretched to that whole range, on a torus.

    noise: N × S × S with S a power of two, uniform in [−1, 1): how far each point strays from the
    mean of its four neighbours, before scaling. The scale falls by decay² from one grid to the
    next, twice as fine: the published generator applies its roughness twice, and the constants go
    with that.
    """
    clouds = np.zeros_like(noise)
    step, strength = noise.shape[1], 1.0
    while step > 1:
        half = step // 2
        old, new = slice(None, None, step), slice(half, None, step)
        corners = clouds[:, old, old]
        below, beside = np.roll(corners, -1, axis=1), np.roll(corners, -1, axis=2)
        centres = (corners + below + beside + np.roll(below, -1, axis=2)) / 4
        centres += strength * noise[:, new, new]
        clouds[:, new, new] = centres
        # The midpoints of the squares' sides have two corners and two centres for neighbours.
        across = (corners + beside + centres + np.roll(centres, 1, axis=1)) / 4
        clouds[:, old, new] = across + strength * noise[:, old, new]
        down = (corners + below + centres + np.roll(centres, 1, axis=2)) / 4
        clouds[:, new, old] = down + strength * noise[:, new, old]
        step, strength = half, strength / decay**2
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    return clouds / np.maximum(clouds.max(axis=(1, 2), keepdims=True), np.float32(1e-12))
