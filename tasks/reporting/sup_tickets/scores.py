"""What every ending of a training scores, and what it gains over the plain one it is paired with.

Both start from the same state and see the same batches, so a gain is of the ending alone. Column
`images` says which images a number was measured on: `test`, or `corrupted`, which is the mean over
all corruptions and severities.
"""

import pandas as pd

from tasks.reporting.frames import Frames

_RUN = ["variant", "method", "ending", "seed"]
_SCORES = ["accuracy", "nll", "ece"]
_COMPARED = [*_SCORES, "train_fraction", "test_fraction"]


def scores(frames: Frames) -> pd.DataFrame:
    """One row for each ending, seed and kind of images.

    Columns variant, method, ending, seed, sup (bool), density, accuracy, nll, ece, train_fraction,
    test_fraction, images.
    """
    rows = frames["sup_tickets"]
    test = rows[rows["split"] == "test"]
    of_run = test[[*_RUN, "sup", "density", "train_fraction", "test_fraction"]]
    means = frames["ood"].groupby(_RUN, sort=False, as_index=False)[_SCORES].mean()
    corrupted = of_run.merge(means, on=_RUN)
    parts = [of_run.merge(test[[*_RUN, *_SCORES]], on=_RUN).assign(images="test")]
    if len(corrupted):
        parts.append(corrupted.assign(images="corrupted"))
    both = pd.concat(parts, ignore_index=True)
    return both.assign(sup=both["sup"].astype(bool))


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Each Sup-tickets ending beside the plain ending of its variant, method and seed.

    rows: of `scores`. Columns as there, and accuracy_plain, nll_plain, ece_plain,
    train_fraction_plain, test_fraction_plain, gain (in accuracy, 0–1). An ending without a plain
    one is left out.
    """
    return beside(rows[rows["sup"]], rows[~rows["sup"]], "plain")


def beside(rows: pd.DataFrame, others: pd.DataFrame, suffix: str) -> pd.DataFrame:
    """Rows of `scores` with those of the same variant, method, seed and images at their side.

    Columns as in `scores`, the others' scores and fractions with the suffix, and gain.
    """
    keys = ["variant", "method", "seed", "images"]
    both = rows.merge(others[[*keys, *_COMPARED]], on=keys, suffixes=("", f"_{suffix}"))
    return both.assign(gain=both["accuracy"] - both[f"accuracy_{suffix}"])


def is_dense(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether rows of `scores` are of a dense network."""
    return rows["density"] == 1
