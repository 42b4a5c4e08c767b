"""Class-balanced subsets, fixed by a seed: for calibration, and to score on slice by slice."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lp_core.errors import InputError


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
