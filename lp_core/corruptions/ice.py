"""Ice on a window pane: crystalline textures, drawn from fixed seeds, for CIFAR-C's frost.

The published script blends in photographs, which this project does not ship: it grows feathers of
ice (needles that branch at 60°, as ice does) over a cloudy film, the same in every run, and gives
them each photograph's colours.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from lp_core.corruptions.imaging import Images
from lp_core.corruptions.streams import Floats

Points = npt.NDArray[np.float64]

# Measured on the published photographs at a fifth of their size, over the 32-pixel windows that
# CIFAR-C takes from them: mean and spread (standard deviation) of red, green and blue, and what
# share of the variance is grain, which neighbouring pixels do not have in common. Without the grain
# networks see through the ice more easily. Two photographs are of one pane.
PHOTOGRAPHS = (
    ((77, 148, 165), (28, 16, 15), 0.25),
    ((198, 203, 212), (20, 20, 21), 0.4),
    ((198, 203, 212), (20, 20, 21), 0.4),
    ((144, 158, 171), (28, 28, 29), 0.5),
    ((103, 114, 126), (39, 38, 37), 0.45),
)
TEXTURES = len(PHOTOGRAPHS)
# A large pane has room for many windows. CIFAR's are taken from a fifth of it, as published.
SIDE, SIDE_AT_32 = 1024, 205


@lru_cache(maxsize=4 * TEXTURES)
def ice(index: int, side: int) -> Images:
    """Texture `index` (0 … 4): uint8, side × side × 3. It is shared: do not write into it."""
    if side == SIDE:
        rng = np.random.default_rng([2019, index])
        mean, spread, grain = PHOTOGRAPHS[index]
        light = math.sqrt(1 - grain) * _standard(_grow(rng))
        light += math.sqrt(grain) * _standard(_grains(rng))
        levels = mean + _standard(light)[..., None] * np.array(spread, np.float32)
        return np.clip(levels, 0, 255).astype(np.uint8)
    way = cv2.INTER_AREA if side < SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(ice(index, SIDE), (side, side), interpolation=way), np.uint8)


def _standard(light: Floats) -> Floats:
    """The light with mean 0 and spread 1 when it is shrunk to CIFAR's size."""
    seen = cv2.resize(light, (SIDE_AT_32, SIDE_AT_32), interpolation=cv2.INTER_AREA)
    return (light - seen.mean()) / seen.std()


def _grains(rng: np.random.Generator) -> Floats:
    """Independent light in each pixel of CIFAR's size."""
    grains = rng.standard_normal((SIDE_AT_32, SIDE_AT_32), np.float32)
    return np.asarray(cv2.resize(grains, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.float32)


def _grow(rng: np.random.Generator) -> Floats:
    """Grey light, SIDE × SIDE, 0–1."""
    film = _clouds(rng)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    heading = rng.uniform(0, 2 * math.pi)
    # From dim to bright, so that bright ice lies on top.
    for brightness in np.sort(rng.uniform(0.2, 1, 60)):
        # Feathers lean the same way, as on a real pane, where ice creeps in from an edge.
        angle = heading + rng.normal(0, 0.6)
        lines = _feather(rng, rng.uniform(0, SIDE, 2), angle, rng.uniform(150, 420), 3)
        for thickness, line in lines:
            # Four fractional bits make lines smooth; OpenCV takes them as scaled integers.
            points = np.rint(line * 16).astype(np.int32)
            shade = 255 * brightness
            cv2.polylines(canvas, [points], False, shade, thickness, cv2.LINE_AA, 4)
    needles = canvas.astype(np.float32) / 255
    needles *= 0.25 + 0.75 * film
    glow = cv2.GaussianBlur(needles, (0, 0), 4)
    broad = cv2.GaussianBlur(needles, (0, 0), 20)
    light = 0.05 + 0.25 * film + 0.7 * needles + 0.4 * glow + 0.3 * broad
    # Where layers pile up the brightness levels off, as on film, rather than burning out.
    return np.tanh(1.5 * light).astype(np.float32)


def _clouds(rng: np.random.Generator) -> Floats:
    """A film of uneven thickness, 0–1: octaves of smooth noise, each half as strong as the last."""
    film = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(2, 9):
        coarse = rng.standard_normal((2**octave, 2**octave), np.float32)
        film += cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = np.quantile(film, [0.02, 0.98])
    return np.clip((film - low) / (high - low), 0, 1).astype(np.float32)


def _feather(
    rng: np.random.Generator, start: Points, angle: float, length: float, order: int
) -> Iterator[tuple[int, Points]]:
    """A needle that bends a little, and shorter ones off both its sides: (thickness, points)."""
    spacing = max(14.0, length / 16)
    travelled = np.arange(0, length, spacing)
    angles = angle + rng.normal(0, 0.03, len(travelled)).cumsum()
    steps = spacing * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = start + np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)])
    yield 2 * order - 1, points
    if order > 1:
        shares = rng.uniform(0.25, 0.5, len(travelled))
        for point, bearing, rest in zip(
            points[1:], angles, (length - travelled) * shares, strict=True
        ):
            if rest > 16:
                yield from _feather(rng, point, bearing + math.pi / 3, rest, order - 1)
                yield from _feather(rng, point, bearing - math.pi / 3, rest, order - 1)
