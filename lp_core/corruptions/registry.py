"""The 19 corruptions by name, in the benchmark's order, and their families."""

from collections.abc import Callable

from lp_core.corruptions.blur import defocus_blur, gaussian_blur, motion_blur, zoom_blur
from lp_core.corruptions.digital import (
    contrast,
    elastic_transform,
    jpeg_compression,
    pixelate,
    saturate,
)
from lp_core.corruptions.glass import glass_blur
from lp_core.corruptions.imaging import Images
from lp_core.corruptions.noise import (
    gaussian_noise,
    impulse_noise,
    shot_noise,
    speckle_noise,
)
from lp_core.corruptions.streams import Streams
from lp_core.corruptions.weather import brightness, fog, frost, snow, spatter

Corruption = Callable[[Images, int, Streams], Images]

_BY_FAMILY: dict[str, list[Corruption]] = {
    "noise": [gaussian_noise, shot_noise, impulse_noise],
    "blur": [defocus_blur, glass_blur, motion_blur, zoom_blur],
    "weather": [snow, frost, fog, brightness],
    "digital": [
        contrast,
        elastic_transform,
        pixelate,
        jpeg_compression,
    ],
}
_EXTRA: dict[str, Corruption] = {
    "noise": speckle_noise,
    "blur": gaussian_blur,
    "weather": spatter,
    "digital": saturate,
}

# The 15 whose mean is the benchmark's score, in its order, and the 4 extra ones.
CORRUPTIONS: tuple[str, ...] = tuple(f.__name__ for fs in _BY_FAMILY.values() for f in fs)
EXTRA: tuple[str, ...] = tuple(f.__name__ for f in _EXTRA.values())

FUNCTIONS: dict[str, Corruption] = {}
FAMILIES: dict[str, str] = {}
for _family, _functions in _BY_FAMILY.items():
    for _function in (*_functions, _EXTRA[_family]):
        FUNCTIONS[_function.__name__] = _function
        FAMILIES[_function.__name__] = _family
