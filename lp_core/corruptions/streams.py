"""One random stream per image.

Image i of a corrupted set draws from a counter-based generator whose key comes from (seed,
corruption, severity) and whose counter holds i, so that no result depends on how a set is cut into
batches.
"""

import math
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer]


class Streams:
    """The streams of the images `first` … `first` + `count` − 1 of one corrupted set.

    Every method returns one array per image, stacked along a new first axis of length `count`;
    successive calls give fresh values.
    """

    def __init__(self, seed: int, name: str, severity: int, first: int, count: int) -> None:
        # crc32 rather than hash(): the latter differs from process to process.
        words = np.random.SeedSequence([seed, zlib.crc32(name.encode()), severity])
        self._bits = np.random.Philox(key=words.generate_state(2, np.uint64))
        self._generator = np.random.Generator(self._bits)
        self._fresh = self._bits.state
        self._images = range(first, first + count)
        self._call = 0

    def normal(self, *shape: int) -> Floats:
        """Standard normal values, float32, count × shape."""
        values = np.empty((len(self._images), math.prod(shape)), np.float32)
        for generator, row in zip(self._generators(), values, strict=True):
            generator.standard_normal(out=row, dtype=np.float32)
        return values.reshape(-1, *shape)

    def uniform(self, low: float, high: float, *shape: int) -> Floats:
        """Uniform values in [low, high), float32, count × shape."""
        values = np.empty((len(self._images), math.prod(shape)), np.float32)
        for generator, row in zip(self._generators(), values, strict=True):
            generator.random(out=row, dtype=np.float32)
        values *= np.float32(high - low)
        values += np.float32(low)
        return values.reshape(-1, *shape)

    def integers(self, low: int, high: int, *shape: int) -> Integers:
        """Uniform integers in low … high − 1, which must fit 16 bits; int16, count × shape."""
        draws = [g.integers(low, high, shape, dtype=np.int16) for g in self._generators()]
        return np.stack(draws)

    def words(self, *shape: int) -> npt.NDArray[np.uint32]:
        """Random 32-bit words, count × shape."""
        draws = [g.integers(0, 1 << 32, shape, dtype=np.uint32) for g in self._generators()]
        return np.stack(draws)

    def _generators(self) -> Iterator[np.random.Generator]:
        """One generator per image: the same object, its counter set to the image's place.

        The counter has four words and counts in the first; the third and fourth say which call and
        which image, so that streams are 2**128 draws apart. Setting it is ten times faster than
        making a generator.
        """
        self._call += 1
        for image in self._images:
            self._fresh["state"]["counter"][2:] = self._call, image
            self._bits.state = self._fresh
            yield self._generator
