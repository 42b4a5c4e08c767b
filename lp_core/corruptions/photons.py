"""Shot noise as a lookup: with 256 input and 256 output levels, it is a table of chances.

Sampling a Poisson count costs five times as much as a Gaussian value. But what becomes of a level
is one of 256 fixed distributions over levels, and Walker's alias method draws from those with one
random word and one lookup. Exact up to the 24 bits of a chance.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from lp_core.corruptions.imaging import Images

Words = npt.NDArray[np.uint32]


def photons(images: Images, words: Words, c: int) -> Images:
    """Poisson(x·c) / c, clipped and cut off to levels; `words`: a random 32-bit word per value."""
    column = words >> np.uint32(24)
    entry = _table(c)[(images.astype(np.uint32) << np.uint32(8)) | column]
    kept = (words & np.uint32(0xFFFFFF)) < (entry >> np.uint32(8))
    return np.where(kept, column, entry & np.uint32(0xFF)).astype(np.uint8)


def level_chances(c: int) -> npt.NDArray[np.float64]:
    """256 × 256: the chance that shot noise turns one level (row) into another (column)."""
    rates = np.arange(256)[:, None] / 255 * c
    counts = np.arange(c)
    levels = (counts / c * 255).astype(int)
    chances = np.zeros((256, 256))
    np.add.at(chances.T, levels, stats.poisson.pmf(counts, rates).T)
    # c photons and more are white.
    chances[:, 255] += stats.poisson.sf(c - 1, rates[:, 0])
    return chances


@lru_cache(maxsize=5)
def _table(c: int) -> Words:
    """Flat 256·256: the chance to keep a column, in 24 bits, and the one to take otherwise, in 8.

    Columns are drawn evenly, and give the rest of their turns to likelier ones. Each round settles
    the least likely unsettled column of every row: it keeps its own chance and takes the rest from
    the row's likeliest.
    """
    share = level_chances(c) * 256
    keep = np.ones((256, 256))
    alias = np.tile(np.arange(256), (256, 1))
    rows = np.arange(256)
    for _ in range(255):
        low, high = share.argmin(axis=1), share.argmax(axis=1)
        need = 1 - share[rows, low]
        some = need > 0
        r, low, high, need = rows[some], low[some], high[some], need[some]
        keep[r, low], alias[r, low] = 1 - need, high
        share[r, high] -= need
        share[r, low] = 1
    chance = np.minimum(np.rint(keep * 2**24), 2**24 - 1).astype(np.uint32)
    return ((chance << np.uint32(8)) | alias.astype(np.uint32)).ravel()
