"""CIFAR-C's glass blur: pixels replaced by random neighbours between two light Gaussian blurs.

Replacements happen one after another, from the last pixel to the first, and a later one sees the
earlier ones' results. Those that cannot touch the same pixels commute, so they are carried out
together, in waves, for all images at once: the result is the sequential procedure's, in a tenth of
the steps.
"""

from collections.abc import Iterator

import numpy as np

from lp_core.corruptions.imaging import Images, gaussian, scale_of, to_uint8, to_unit
from lp_core.corruptions.streams import Integers, Streams


def glass_blur(images: Images, severity: int, streams: Streams) -> Images:
    """Blur, exchange pixels within a greatest shift, n times over, blur: (σ, shift, n).

    The published script means to swap two pixels, but swaps two NumPy views: the pixel takes its
    partner's colour and the partner keeps it. The published sets are made so, and this does the
    same; true swaps carry pixels far across the image, which is another, much harder corruption.
    """
    sigma, shift, times = (
        (0.05, 1, 1),
        (0.25, 1, 1),
        (0.4, 1, 1),
        (0.25, 1, 2),
        (0.4, 1, 2),
    )[severity - 1]
    scale = scale_of(images)
    reach = max(1, round(shift * scale))
    count, height, width, channels = images.shape
    offsets = streams.integers(-reach, reach, times, 2, height, width)
    blurred = to_uint8(gaussian(to_unit(images), sigma * scale)).reshape(-1, channels)
    origins = scattered(offsets, reach) + height * width * np.arange(count)[:, None]
    shuffled = blurred.take(origins.ravel(), axis=0)
    return to_uint8(gaussian(to_unit(shuffled.reshape(images.shape)), sigma * scale))


def scattered(offsets: Integers, reach: int) -> Integers:
    """Where each pixel's colour comes from after all replacements: flat indices, N × H·W.

    offsets: N × times × 2 × H × W, rows and columns from a pixel to its partner, in −reach …
    reach − 1 (the published range, which leaves out +reach). As in the published script, the
    `reach` + 1 first rows and columns and the `reach` − 1 last ones keep their colours.
    """
    count, times, _, height, width = offsets.shape
    # Pixel first, image last: what one wave touches lies together.
    jumps = offsets[:, :, 0].astype(np.int32) * width + offsets[:, :, 1]
    jumps = np.ascontiguousarray(jumps.reshape(count, times, -1).transpose(1, 2, 0))
    positions = np.arange(height * width, dtype=np.int32)[:, None]
    origins = np.repeat(positions, count, axis=1)
    images = np.arange(count)
    order = list(waves(height, width, reach))
    for jump in jumps:
        partners = positions + jump
        for pixels in order:
            origins[pixels] = origins[partners[pixels], images]
    return origins.T


def waves(height: int, width: int, reach: int) -> Iterator[Integers]:
    """Flat indices of the pixels to replace, in groups whose members cannot touch the same pixel.

    Replacing (h, w) reads rows h − reach … h + reach − 1 and the like columns. With pixels counted
    back from the last one, the number 2·reach·row + column grows along every chain of overlapping
    replacements, and two pixels that share it lie at least 2·reach columns apart.
    """
    rows = np.arange(height - reach, reach, -1)[:, None]
    columns = np.arange(width - reach, reach, -1)
    number = (2 * reach * (height - rows) + (width - columns)).ravel()
    pixels = (rows * width + columns).ravel()
    order = np.argsort(number, kind="stable")
    if len(order):
        yield from np.split(pixels[order], np.flatnonzero(np.diff(number[order])) + 1)
