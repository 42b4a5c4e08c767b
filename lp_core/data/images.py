"""Reading image files: any format that Pillow knows, to 8-bit grey or colour, many at a time."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lp_core.errors import InputError, one_line

# Pictures that a thread takes at a time: enough to be busy for a while, and few enough for each
# thread to get several turns, so that none is idle for long at the end.
_MOST = 64
_TURNS = 4


class Picture(NamedTuple):
    """One encoded image. data: its bytes, or the path of its file; where: what errors call it."""

    data: bytes | str
    where: str


def open_picture(picture: Picture) -> Image.Image:
    """Decodes a picture; the mode is "L" where it is grey and "RGB" where it is not.

    Raises InputError, naming the picture, where it cannot be read.
    """
    data = picture.data
    try:
        if isinstance(data, str):
            require_file(data)
        with Image.open(BytesIO(data) if isinstance(data, bytes) else data) as image:
            return _eight_bit(image)
    except Exception as error:  # Pillow has no one error for a broken file: OSError, SyntaxError, …
        unknown = isinstance(error, UnidentifiedImageError)
        told = getattr(error, "strerror", None) or one_line(error)
        reason = "no known format" if unknown else told
        raise InputError(
            f"{picture.where} cannot be read as an image ({reason}); replace or remove it"
        ) from error


def require_file(path: str) -> int:
    """The size of a file in bytes. Raises OSError where there is none, or what would block who
    reads it: a named pipe, a device."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no regular file")
    return status.st_size


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode in ("1", "L", "LA", "La"):
        return image.convert("L")
    if image.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion would clip them
        return Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        raise InputError("floating-point pixels have no known range")
    return image.convert("RGB")


def as_array(image: Image.Image) -> NDArray[np.uint8]:
    """An image of mode "L" or "RGB" as uint8, H×W×C with 1 or 3 channels."""
    pixels = np.array(image, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def as_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """The opposite of `as_array`."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def read_all(
    pictures: Sequence[Picture], transform: Callable[[Image.Image], Image.Image]
) -> Iterator[NDArray[np.uint8]]:
    """Decodes and transforms pictures on every core, and yields H×W×C arrays in order.

    The first picture in order that cannot be read raises its InputError.
    """

    cores = os.cpu_count() or 1
    step = max(1, min(_MOST, len(pictures) // (_TURNS * cores)))

    def chunk(start: int) -> list[NDArray[np.uint8]]:
        chosen = pictures[start : start + step]
        return [as_array(transform(open_picture(picture))) for picture in chosen]

    # Pillow decodes and resizes outside the interpreter's lock, so threads do.
    with ThreadPoolExecutor(cores) as pool:
        try:
            for arrays in pool.map(chunk, range(0, len(pictures), step)):
                yield from arrays
        finally:
            pool.shutdown(cancel_futures=True)
