"""CIFAR-C's noise: independent in every value, so that nothing in it scales with the side."""

import numpy as np

from lp_core.corruptions.imaging import Images, to_uint8, to_unit
from lp_core.corruptions.photons import photons
from lp_core.corruptions.streams import Streams


def gaussian_noise(images: Images, severity: int, streams: Streams) -> Images:
    """Adds N(0, c)."""
    c = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    noise = streams.normal(*images.shape[1:])
    noise *= np.float32(c)
    noise += to_unit(images)
    return to_uint8(noise)


def shot_noise(images: Images, severity: int, streams: Streams) -> Images:
    """Photon counts: Poisson(x·c) / c."""
    c = (500, 250, 100, 75, 50)[severity - 1]
    return photons(images, streams.words(*images.shape[1:]), c)


def impulse_noise(images: Images, severity: int, streams: Streams) -> Images:
    """Salt and pepper, in equal parts, on a share c of the values (each channel by itself)."""
    c = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    chance = streams.uniform(0, 1, *images.shape[1:])
    out = images.copy()
    out[chance < c] = 255
    out[chance < c / 2] = 0
    return out


def speckle_noise(images: Images, severity: int, streams: Streams) -> Images:
    """Noise in proportion to the value: adds x·N(0, c)."""
    c = (0.06, 0.10, 0.12, 0.16, 0.20)[severity - 1]
    noise = streams.normal(*images.shape[1:])
    noise *= np.float32(c)
    noise += 1
    noise *= to_unit(images)
    return to_uint8(noise)
