"""Crops of images of any size, one at a time: the usual ImageNet recipe, and plain resizing."""

import math

import numpy as np
from PIL import Image, ImageOps

_BILINEAR = Image.Resampling.BILINEAR  # Pillow widens the filter when shrinking: no aliasing

# Of the ImageNet recipe: the share of the area and the shape of a training crop, and how much of
# the shorter side an evaluation crop sees.
_AREA = (0.08, 1.0)
_ASPECT = (3 / 4, 4 / 3)
_CENTRE = 224 / 256


def resize(image: Image.Image, size: int | tuple[int, int] | None) -> Image.Image:
    """The image at size×size pixels, or those of (height, width); the middle of its longer side
    where it has another shape."""
    if size is None:
        return image
    height, width = (size, size) if isinstance(size, int) else size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), method=_BILINEAR)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """The central 224/256 of the shorter side, as size×size pixels in colour.

    In one resampling what the recipe does in two steps: shorter side to size·256/224, then crop.
    """
    width, height = image.size
    side = min(width, height) * _CENTRE
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return image.convert("RGB").resize((size, size), _BILINEAR, box=box)


def random_resized_crop(
    image: Image.Image, size: int, generator: np.random.Generator
) -> Image.Image:
    """A random 8-100% of the area, of a shape between 3:4 and 4:3, as size×size colour pixels."""
    width, height = image.size
    for _ in range(10):
        area = width * height * generator.uniform(*_AREA)
        aspect = math.exp(generator.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
        wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high <= height:
            left = int(generator.integers(0, width - wide + 1))
            top = int(generator.integers(0, height - high + 1))
            break
    else:  # a long, thin image: as much of its middle as the allowed shapes take in
        wide = max(1, min(width, round(height * _ASPECT[1])))
        high = max(1, min(height, round(width / _ASPECT[0])))
        left, top = (width - wide) // 2, (height - high) // 2
    box = (left, top, left + wide, top + high)
    return image.convert("RGB").resize((size, size), _BILINEAR, box=box)
