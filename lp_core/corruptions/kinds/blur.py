"""CIFAR-C's blurs but for glass: defocus, motion, zoom, Gaussian.

Radii and σ are lengths, and scale with the side; zoom is about the centre and needs no scale.
"""

import math

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
    return to_uint8(motion(to_unit(images), radius * scale, sigma * scale, angles))


def zoom_blur(images: Images, severity: int, _streams: Streams) -> Images:
    """The mean of the image and its zooms into the centre, 1, 1.01, … below a greatest one.

    Zooms are exact about the image's centre, where the published script crops whole pixels; that
    keeps small images from jumping and makes sizes comparable.
    """
    steps = (6, 11, 16, 21, 26)[severity - 1]
    height, width = images.shape[1:3]
    centre = np.array([[(width - 1) / 2], [(height - 1) / 2]])
    shrinks = [1 / (1 + k / 100) for k in range(1, steps)]
    maps = [np.hstack([shrink * np.eye(2), (1 - shrink) * centre]) for shrink in shrinks]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def blurred(image: Floats) -> Floats:
        # Zoom 1 is the image once more.
        total = 2 * image
        for inverse in maps:
            layer = cv2.warpAffine(image, inverse, (width, height), flags=flags)
            total += layer.reshape(image.shape)
        return total / np.float32(steps + 1)

    return to_uint8(each(blurred, to_unit(images)))


def gaussian_blur(images: Images, severity: int, _streams: Streams) -> Images:
    """Gaussian blur of σ."""
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]
    return to_uint8(gaussian(to_unit(images), sigma * scale_of(images)))
