"""Subsets of the samples, fixed by a seed: class-balanced ones, for calibration, to score on slice
by slice and to train on few images, and those without the easiest or the hardest samples."""

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lp_core.errors import InputError

Selection = Literal["random", "least-forgotten", "most-forgotten"]


def _shuffled_ranks(
    labels: NDArray[np.int64], generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For each image: its place in its class, drawn at random; its class's size; a tie-break."""
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    ranks = np.empty(len(labels), dtype=np.int64)
    for index, count in enumerate(counts):
        ranks[inverse == index] = generator.permutation(count)
    class_order = generator.permutation(len(classes))
    return ranks, counts[inverse], class_order[inverse]


def balanced_indices(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """`count` images with as equal a number of each class as the classes' sizes allow.

    labels: one integer per image. Returns int64 indices, ascending; the same for the same seed.
    Raises InputError where `count` is not between 1 and the number of images.
    """
    labels = np.asarray(labels)
    if not 1 <= count <= len(labels):
        raise InputError(f"{count} balanced images were asked for, out of {len(labels)}")
    generator = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    ranks, _, ties = _shuffled_ranks(labels, generator)
    return np.sort(np.lexsort((ties, ranks))[:count])


def balanced_slices(
    labels: NDArray[np.int64], sizes: list[float], seed: int
) -> list[NDArray[np.int64]]:
    """Disjoint slices of all images, every one with the whole set's mix of classes.

    sizes: cumulative fractions, rising and ending at 1: [0.25, 1] gives a quarter and the rest.
    Returns one ascending int64 index array per size, none of them empty.
    Raises InputError for other sizes, or where there are fewer images than slices.
    """
    labels = np.asarray(labels)
    rising = all(a < b for a, b in pairwise([0.0, *sizes]))
    if not sizes or not rising or sizes[-1] != 1:
        raise InputError(f"slice sizes are {sizes}; they must rise from above 0 to exactly 1")
    if len(labels) < len(sizes):
        raise InputError(f"{len(labels)} images cannot fill {len(sizes)} slices")
    generator = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    ranks, counts, ties = _shuffled_ranks(labels, generator)
    # Each class is spread evenly over 0-1, so that any stretch of this order holds the whole mix.
    order = np.lexsort((ties, (ranks + 0.5) / counts))
    cuts = [0]
    for index, size in enumerate(sizes):
        left_for_later = len(sizes) - 1 - index
        cuts.append(min(max(round(size * len(labels)), cuts[-1] + 1), len(labels) - left_for_later))
    return [np.sort(order[start:stop]) for start, stop in pairwise(cuts)]


def without(
    difficulty: NDArray[np.float64], which: Literal["easiest", "hardest"], share: float, seed: int
) -> NDArray[np.int64]:
    """The samples that are left when a share of them, the easiest or the hardest, is taken away.

    SGD noise, appendix A.1. difficulty: a number for each sample, higher for a harder one (see
    `analysis.difficulty`); equals go by the seed. share: of all N, whatever their classes. Returns
    int64 indices, ascending. Raises InputError where the share leaves or takes no sample, and for a
    difficulty that is not finite.
    """
    order = _by_difficulty(difficulty, seed)
    gone = round(share * len(order))
    if not 0 < gone < len(order):
        raise InputError(
            f"share is {share}, which is {gone} of {len(order)} samples; give one between 0 and 1 "
            "that takes some and leaves some"
        )
    return np.sort(order[gone:] if which == "easiest" else order[: len(order) - gone])


def class_balanced_part(
    labels: NDArray[np.int64],
    share: float,
    selection: Selection,
    seed: int,
    difficulty: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """A share of each class's samples, at least one of each.

    SGD noise, section 5.2 and appendix F.1. selection: `random`, by the seed; or those of a class
    that are forgotten least or most, by `difficulty` (see `without`). Of two shares the smaller is
    a part of the larger. Returns int64 indices, ascending. Raises InputError for a share outside
    0 … 1, and where the selection needs a difficulty that is not there or not finite.
    """
    labels = np.asarray(labels)
    if not 0 < share <= 1:
        raise InputError(f"share is {share}; give one above 0, up to 1")
    if selection == "random":
        order = _by_difficulty(np.zeros(len(labels)), seed)
    elif difficulty is None or len(difficulty) != len(labels):
        count = "none" if difficulty is None else len(difficulty)
        raise InputError(
            f"selection {selection} needs the difficulty of each of {len(labels)} samples, but "
            f"there are {count}"
        )
    else:
        sign = 1 if selection == "least-forgotten" else -1
        order = _by_difficulty(sign * np.asarray(difficulty), seed)
    parts = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        parts.append(members[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(parts))


def _by_difficulty(difficulty: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """All samples, the easiest first; equals in an order drawn from the seed."""
    values = np.asarray(difficulty, dtype=np.float64)
    if unknown := int((~np.isfinite(values)).sum()):
        raise InputError(
            f"the difficulty of {unknown} of {len(values)} samples is not finite; give a number "
            "for each"
        )
    generator = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    return np.lexsort((generator.permutation(len(values)), values))
