"""CIFAR-C's weather: snow, frost, fog, brightness, and spatter.

Flakes, drops and crystals scale with the side.
"""

import math
from typing import TypeVar

import cv2
import numpy as np

from lp_core.corruptions.ice import SIDE_AT_32, TEXTURES, ice
from lp_core.corruptions.imaging import (
    Images,
    gaussian,
    grain,
    luma,
    motion,
    paint,
    scale_of,
    to_uint8,
    to_unit,
    zoomed,
)
from lp_core.corruptions.plasma import plasma
from lp_core.corruptions.streams import Floats, Streams

Fields = TypeVar("Fields", Floats, Images)


def snow(images: Images, severity: int, streams: Streams) -> Images:
    """Flakes streaked by their fall, over a whitened image.

    (mean and spread of the flakes' brightness, their size, the threshold under which there is none,
    radius and σ of the streaks, share of the image's own colours). Streaks rise at 45° to 135°, and
    all flakes come twice, the second time turned by 180°.
    """
    mean, spread, zoom, threshold, radius, sigma, own = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[severity - 1]
    height, width = images.shape[1:3]
    scale = scale_of(images)
    # Made at CIFAR's resolution, then enlarged: a threshold on finer noise would make other flakes.
    base = cifar_size(height, width)
    rows, columns = (zoomed(side, zoom) for side in base)
    # Only the centre is seen, so nothing else is drawn.
    flakes = streams.normal(rows[0], columns[0]) * np.float32(spread) + np.float32(mean)
    inverse = np.array([[columns[1], 0, columns[2]], [0, rows[1], rows[2]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grown = np.empty((len(images), *base), np.float32)
    for field, target in zip(flakes, grown, strict=True):
        target[...] = cv2.warpAffine(field, inverse, base[::-1], flags=flags)
    grown[grown < threshold] = 0
    layer = resized(to_uint8(grown), height, width)
    layer = motion(layer, radius * scale, sigma * scale, streams.uniform(-135, -45))
    snowfall = to_unit(layer)[..., None]
    x = to_unit(images)
    x = own * x + (1 - own) * np.maximum(x, luma(x) * 1.5 + 0.5)
    return to_uint8(x + snowfall + snowfall[:, ::-1, ::-1])


def cifar_size(height: int, width: int) -> tuple[int, int]:
    """The size of such an image with its shorter side shrunk or grown to 32 pixels."""
    shorter = min(height, width)
    return round(32 * height / shorter), round(32 * width / shorter)


def resized(fields: Fields, height: int, width: int) -> Fields:
    """N×h×w to N×height×width."""
    if fields.shape[1:] == (height, width):
        return fields
    way = cv2.INTER_LINEAR if width > fields.shape[2] else cv2.INTER_AREA
    out = np.empty((len(fields), height, width), fields.dtype)
    for field, target in zip(fields, out, strict=True):
        target[...] = cv2.resize(field, (width, height), interpolation=way)
    return out


def frost(images: Images, severity: int, streams: Streams) -> Images:
    """a · image + b · ice, a random window of a random texture (see `ice`)."""
    a, b = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[severity - 1]
    height, width, channels = images.shape[1:]
    side = max(1, round(SIDE_AT_32 * scale_of(images)))
    windows = streams.uniform(0, 1, 3)
    out = images * np.float32(a)
    for image, (which, down, right) in zip(out, windows, strict=True):
        texture = ice(int(which * TEXTURES), side)
        # Only images more than six times as long as wide reach past the texture; it then repeats.
        rows = (int(down * max(1, side - height + 1)) + np.arange(height)) % side
        columns = (int(right * max(1, side - width + 1)) + np.arange(width)) % side
        window = texture[np.ix_(rows, columns)].astype(np.float32)
        image += np.float32(b) * (window if channels == 3 else luma(window))
    return np.clip(out, 0, 255, out=out).astype(np.uint8)


def fog(images: Images, severity: int, streams: Streams) -> Images:
    """Adds c times a plasma fractal of roughness decay d, and rescales by max / (max + c)."""
    c, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    height, width = images.shape[1:3]
    side = 2 ** max(1, math.ceil(math.log2(max(height, width))))
    clouds = plasma(streams.uniform(-1, 1, side, side), decay)[:, :height, :width, None]
    x = to_unit(images)
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    return to_uint8((x + np.float32(c) * clouds) * (brightest / (brightest + np.float32(c))))


def brightness(images: Images, severity: int, _streams: Streams) -> Images:
    """HSV value + c; a grey image's value is the image."""
    c = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    x = to_unit(images)
    if images.shape[-1] == 1:
        return to_uint8(x + np.float32(c))
    hsv = cv2.cvtColor(x.reshape(-1, images.shape[2], 3), cv2.COLOR_RGB2HSV)
    hsv[..., 2] = np.minimum(hsv[..., 2] + np.float32(c), 1)
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return to_uint8(rgb.astype(np.float32, copy=False).reshape(images.shape))


def spatter(images: Images, severity: int, streams: Streams) -> Images:
    """Drops where smooth noise passes a threshold: (mean, spread, blur σ, threshold, strength).

    Severities 1–3 are water, which adds pale turquoise light; 4 and 5 are mud, opaque brown, whose
    strength is the σ that rounds its outline.
    """
    mean, spread, sigma, threshold, strength = (
        (0.62, 0.1, 0.7, 0.7, 0.5),
        (0.65, 0.1, 0.8, 0.7, 0.5),
        (0.65, 0.3, 1, 0.69, 0.5),
        (0.65, 0.1, 0.7, 0.69, 0.6),
        (0.65, 0.1, 0.5, 0.68, 0.6),
    )[severity - 1]
    height, width, channels = images.shape[1:]
    x = to_unit(images)
    if severity <= 3:
        # Made at CIFAR's resolution, then enlarged, like snow.
        noise = streams.normal(*cifar_size(height, width)) * np.float32(spread)
        liquid = gaussian(noise, sigma) + np.float32(mean)
        light = resized(water(liquid, threshold), height, width) * np.float32(strength)
        return to_uint8(x + light[..., None] * paint((175, 238, 238), channels))
    scale = scale_of(images)
    noise = streams.normal(height, width) * np.float32(spread * grain(sigma, scale))
    liquid = gaussian(noise, sigma * scale) + np.float32(mean)
    mud = gaussian((liquid > threshold).astype(np.float32), strength * scale)
    mud[mud < 0.8] = 0
    mud = mud[..., None]
    return to_uint8(x * (1 - mud) + mud * paint((63, 42, 20), channels))


def water(liquid: Floats, threshold: float) -> Floats:
    """The light that drops of N×H×W liquid reflect, 0 to 1 in each image.

    It is their thickness times an emboss, lit from one side, of the distance from the drops' rims.
    """
    drops = to_uint8(np.where(liquid < threshold, 0, liquid))
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
    out = np.empty_like(liquid)
    for drop, light in zip(drops, out, strict=True):
        rims = cv2.Canny(drop, 50, 150)
        far = cv2.distanceTransform(255 - rims, cv2.DIST_L2, 5)
        height = cv2.blur(np.minimum(far, 20), (3, 3)).astype(np.uint8)
        shaded = cv2.filter2D(cv2.equalizeHist(height), cv2.CV_8U, emboss)
        np.multiply(drop, cv2.blur(shaded, (3, 3)), out=light, dtype=np.float32)
        # Without a drop there is no light.
        light /= max(light.max(), np.float32(1))
    return out
