"""The 19 corruptions by name, in the benchmark's order, and their families."""

from collections.abc import Callable

from lp_core.data.corruptions import blur, digital, glass, noise, weather
from lp_core.data.corruptions.imaging import Images
from lp_core.data.corruptions.streams import Streams

Corruption = Callable[[Images, int, Streams], Images]

_BY_FAMILY: dict[str, list[Corruption]] = {
    "noise": [noise.gaussian_noise, noise.shot_noise, noise.impulse_noise],
    "blur": [blur.defocus_blur, glass.glass_blur, blur.motion_blur, blur.zoom_blur],
    "weather": [weather.snow, weather.frost, weather.fog, weather.brightness],
    "digital": [
        digital.contrast,
        digital.elastic_transform,
        digital.pixelate,
        digital.jpeg_compression,
    ],
}
_EXTRA: dict[str, Corruption] = {
    "noise": noise.speckle_noise,
    "blur": blur.gaussian_blur,
    "weather": weather.spatter,
    "digital": digital.saturate,
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
