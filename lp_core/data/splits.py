"""Train, validation and test splits: class by class, fixed by a seed.

As in Lottery Pools, a set's only published split beside the training images serves as the test
split, and a tenth of the training images is held out to decide with.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lp_core.data.sources.examples import Examples
from lp_core.data.subsets import balanced_indices
from lp_core.errors import InputError


def hold_out(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices kept and held out, both ascending; together they are all, and they share none.

    Of a class with n images, fraction·n are held out, rounded up or down so that the total comes as
    near to fraction·N as can be while every class keeps at least one image.
    """
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts * fraction
    quotas = np.floor(exact).astype(np.int64)
    # The largest remainders round up, in a random order where they are equal.
    order = np.lexsort((generator.permutation(len(classes)), -(exact - quotas)))
    eligible = order[(exact > quotas)[order] & (quotas + 1 < counts)[order]]
    quotas[eligible[: round(fraction * len(labels)) - quotas.sum()]] += 1
    held = np.zeros(len(labels), dtype=bool)
    for index, quota in enumerate(quotas):
        members = np.flatnonzero(inverse == index)
        held[generator.permutation(members)[:quota]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def three_splits(
    published: dict[str, Examples],
    val_fraction: float,
    test_fraction: float,
    seed: int,
    most: Mapping[str, int | None] | None = None,
) -> dict[str, Examples]:
    """train, val and test from whatever was published; what is missing is held out of train.

    most: how many images of train and of test are kept, class-balanced; test images are held out
    before train is cut, and validation images after it. None keeps all.
    Raises InputError where a fraction of the images is less than one image, or where there are not
    as many as `most` asks for.
    """
    splits, most = dict(published), most or {}
    if "test" not in splits and "val" in splits:
        splits["test"] = splits.pop("val")
    if "test" not in splits:
        _hold_out(splits, "test", test_fraction, seed)
    for name in ("train", "test"):
        splits[name] = _at_most(splits[name], name, most.get(name), seed)
    if "val" not in splits:
        _hold_out(splits, "val", val_fraction, seed)
    return {name: splits[name] for name in ("train", "val", "test")}


def _hold_out(splits: dict[str, Examples], name: str, fraction: float, seed: int) -> None:
    train = splits["train"]
    kept, held = hold_out(train.labels, fraction, seed)
    if not len(held):
        raise InputError(
            f"{name}_fraction {fraction} of {len(train)} images is not even one; raise it"
        )
    splits["train"], splits[name] = train.take(kept), train.take(held)


def _at_most(examples: Examples, name: str, count: int | None, seed: int) -> Examples:
    if count is None:
        return examples
    classes = len(np.unique(examples.labels))
    if not classes <= count <= len(examples):
        raise InputError(
            f"{name}_images is {count}; give {classes}, one for each class, up to the "
            f"{len(examples)} that there are, or null for all"
        )
    return examples.take(balanced_indices(examples.labels, count, seed))
