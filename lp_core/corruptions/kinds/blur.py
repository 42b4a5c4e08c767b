"""CIFAR-C's blurs but for glass: defocus, motion, zoom, Gaussian.

Radii and σ are lengths, and scale with the side; zoom is about the centre and needs no scale.
"""

import math
from collections import Counter

import cv2
import numpy as np

from lp_core.corruptions.imaging import (
    Images,
    each,
    gaussian,
    motion,
    scale_of,
    to_uint8,
    to_unit,
    zoomed,
)
from lp_core.corruptions.streams import Floats, Streams


def disk_kernel(radius: float, alias: float, reach: int) -> Floats:
    """A filled disk, its rim softened by a Gaussian of σ `alias` over ±`reach` (all in pixels)."""
    half = int(radius) + reach
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.float32)
    size = (2 * reach + 1, 2 * reach + 1)
    # Nothing spills over the kernel's edge, so it still sums to 1.
    soft = cv2.GaussianBlur(disk / disk.sum(), size, alias, borderType=cv2.BORDER_CONSTANT)
    return soft.astype(np.float32)


def defocus_blur(images: Images, severity: int, _streams: Streams) -> Images:
    """Convolution with a disk: (radius, alias blur)."""
    radius, alias = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    scale = scale_of(images)
    # At 32 pixels the published softening reaches one pixel to each side.
    kernel = disk_kernel(radius * scale, alias * scale, math.ceil(scale))
    return to_uint8(each(lambda image: cv2.filter2D(image, -1, kernel), to_unit(images)))


def motion_blur(images: Images, severity: int, streams: Streams) -> Images:
    """A streak (radius, σ) along an angle within ±45° of the horizontal."""
    radius, sigma = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[severity - 1]
    scale = scale_of(images)
    angles = streams.uniform(-45, 45)
    return motion(images, radius * scale, sigma * scale, angles)


def zoom_blur(images: Images, severity: int, _streams: Streams) -> Images:
    """The mean of the image and its zooms into the centre, 1, 1.01, … up to a greatest one.

    The image counts twice: as itself, and as zoom 1.
    """
    # A NumPy range of floating-point numbers may reach its end: 1.06 and 1.11 are among the zooms.
    zooms = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[severity - 1], 0.01)
    height, width = images.shape[1:3]
    # On few pixels, neighbouring zooms are the same.
    maps = Counter((*_line(width, zoom), *_line(height, zoom)) for zoom in zooms)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def blurred(image: Floats) -> Floats:
        total = image.copy()
        for (across, left, down, top), count in maps.items():
            inverse = np.array([[across, 0, left], [0, down, top]])
            layer = cv2.warpAffine(image, inverse, (width, height), flags=flags)
            total += count * layer.reshape(image.shape)
        return total / np.float32(len(zooms) + 1)

    return to_uint8(each(blurred, to_unit(images)))


def _line(size: int, zoom: float) -> tuple[float, float]:
    """(a, b): pixel i of a zoomed row or column is the original's a·i + b."""
    cropped, stride, first = zoomed(size, zoom)
    return stride, (size - cropped) // 2 + first


def gaussian_blur(images: Images, severity: int, _streams: Streams) -> Images:
    """Gaussian blur of σ."""
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]
    return to_uint8(gaussian(to_unit(images), sigma * scale_of(images)))
