"""What several corruptions share: the unit of length, number formats, blurs, colours, grain.

CIFAR-C's constants are in pixels of a 32-pixel side; everything here takes lengths that are already
in the pixels of the image at hand, which is `constant * scale_of(images)`.
"""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lp_core.corruptions.streams import Floats

Images = npt.NDArray[np.uint8]

# ITU-R BT.601, what grey conversions of 8-bit images use.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def scale_of(images: npt.NDArray[Any]) -> float:
    """Pixels per pixel of CIFAR: the shorter side of N×H×W(×C) images, over 32."""
    return min(images.shape[1:3]) / 32


def to_unit(images: Images) -> Floats:
    """uint8 to float32 in 0–1, always a new array; `to_uint8` gives the same levels back."""
    # Multiplied by 1/255, some levels would come back one lower.
    return np.divide(images, 255, dtype=np.float32)


def to_uint8(x: Floats) -> Images:
    """Values in 0–1 (others are clipped) to uint8, decimals cut off, as in the published script."""
    levels = x * np.float32(255)
    # In place: with arrays this large, fresh memory costs more than the arithmetic.
    np.clip(levels, 0, 255, out=levels)
    return levels.astype(np.uint8)


def each(function: Callable[[Any], Any], images: Floats) -> Floats:
    """A shape-preserving OpenCV call on every image; OpenCV drops the axis of a single channel."""
    out = np.empty_like(images)
    for source, target in zip(images, out, strict=True):
        target[...] = function(source).reshape(target.shape)
    return out


def gaussian(
    images: Floats, sigma: float, truncate: float = 4, border: int = cv2.BORDER_REPLICATE
) -> Floats:
    """Gaussian blur of N×H×W(×C) by σ pixels, cut off after `truncate` σ; a tiny σ does nothing."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return images.copy()
    size = (2 * radius + 1, 2 * radius + 1)
    return each(lambda image: cv2.GaussianBlur(image, size, sigma, borderType=border), images)


def motion_kernel(radius: float, sigma: float, degrees: float) -> tuple[Floats, tuple[int, int]]:
    """A streak, half a Gaussian of 2·radius + 1 steps along an angle, and the pixel it starts from.

    Steps fall on whole pixels, as in ImageMagick's motion blur, which made CIFAR-C.
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    # The tail that is cut is worth less than a quarter of a grey level, and small kernels are fast.
    steps, weights = steps[weights > 1e-3], weights[weights > 1e-3]
    angle = math.radians(degrees)
    columns = np.ceil(steps * math.cos(angle) - 0.5).astype(int)
    rows = np.ceil(steps * math.sin(angle) - 0.5).astype(int)
    left, top = int(columns.min()), int(rows.min())
    kernel = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), np.float32)
    np.add.at(kernel, (rows - top, columns - left), weights / weights.sum())
    return kernel, (-left, -top)


def motion(images: Images, radius: float, sigma: float, degrees: Floats) -> Images:
    """Motion blur of N×H×W(×C) along one angle per image: levels are rounded, as ImageMagick's."""
    out = np.empty_like(images)
    for source, target, angle in zip(images, out, degrees, strict=True):
        kernel, origin = motion_kernel(radius, sigma, float(angle))
        blurred = cv2.filter2D(source, -1, kernel, anchor=origin, borderType=cv2.BORDER_REPLICATE)
        target[...] = blurred.reshape(target.shape)
    return out


def zoomed(size: int, zoom: float) -> tuple[int, float, float]:
    """The published zoom into the centre of `size` pixels: (pixels cropped, stride, first place).

    It crops the centre, ⌈size/zoom⌉ pixels, stretches it to whole pixels so that the corner ones
    stay in the corners, and trims that to the central `size`. Pixel i of the result then lies at
    first + i·stride of the crop, which begins at pixel (size − cropped) // 2.
    """
    cropped = math.ceil(size / zoom)
    stretched = round(cropped * zoom)
    stride = (cropped - 1) / (stretched - 1) if stretched > 1 else 1.0
    return cropped, stride, (stretched - size) // 2 * stride


def luma(images: Floats) -> Floats:
    """N×H×W×C to N×H×W×1: the grey image."""
    return images if images.shape[-1] == 1 else (images @ LUMA)[..., None]


def paint(rgb: tuple[int, int, int], channels: int) -> Floats:
    """An 8-bit colour in 0–1, as grey for grey images."""
    colour = np.array([rgb], np.float32) / np.float32(255)
    return colour if channels == 3 else luma(colour)


def grain(sigma: float, scale: float) -> float:
    """By how much to strengthen per-pixel noise that will be blurred by σ·scale instead of σ.

    A finer grid puts more independent values under the same blur, which averages them away; this
    keeps the blurred field's spread what it is at 32 pixels.
    """

    def kept(width: float) -> float:
        radius = int(4 * width + 0.5)
        return float((cv2.getGaussianKernel(2 * radius + 1, width) ** 2).sum()) if radius else 1.0

    return kept(sigma) / kept(sigma * scale)
