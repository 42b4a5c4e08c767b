"""Numbers that figures, tables, sentences and the summary share: barriers, winning tickets."""

import pandas as pd

from tasks.reporting.frames import Frames
from tasks.reporting.sgd_noise.rows import START

DECIDES = "val"  # the split on which a start counts as stable; all else is shown on test images


def seed_barriers(frames: Frames, split: str = "test") -> pd.DataFrame:
    """The error barrier of each variant, seed, start and removed part, mean over pairs of forks.

    Columns variant, seed, start, removed (null for none), density, barrier (0–1; mean over pairs
    that have one, NaN where none has), pairs, lost (pairs without a barrier: a fork did not
    converge).
    """
    rows = frames["instability"]
    rows = rows[rows["split"] == split]
    groups = rows.groupby(START, sort=False, dropna=False)
    return groups.agg(
        density=("density", "mean"),
        barrier=("error_barrier", "mean"),
        pairs=("error_barrier", "size"),
        lost=("error_barrier", lambda column: int(column.isna().sum())),
    ).reset_index()


def start_barriers(frames: Frames, split: str = "test") -> pd.DataFrame:
    """The same over the seeds of each variant, start and removed part, by pair of forks.

    Columns variant, start, removed, density, mean, std (over pairs and seeds; NaN with one), pairs,
    lost, stable (share of the pairs below the threshold).
    """
    rows = frames["instability"]
    rows = rows[rows["split"] == split]
    groups = rows.groupby(["variant", "start", "removed"], sort=False, dropna=False)
    return groups.agg(
        density=("density", "mean"),
        mean=("error_barrier", "mean"),
        std=("error_barrier", "std"),
        pairs=("error_barrier", "size"),
        lost=("error_barrier", lambda column: int(column.isna().sum())),
        stable=("stable", lambda column: float(column.astype(bool).mean())),
    ).reset_index()


def is_stable(frames: Frames, threshold: float) -> pd.DataFrame:
    """Whether a start is stable: the mean held-out barrier over all pairs and seeds is below the
    threshold, and every pair has a barrier. Columns as in `start_barriers`, and is_stable."""
    rows = start_barriers(frames, DECIDES)
    return rows.assign(is_stable=(rows["mean"] < threshold) & (rows["lost"] == 0))


def accuracies(frames: Frames) -> pd.DataFrame:
    """Test accuracy of the tickets, whether or not they converged.

    One row for each variant and ticket: density, mean, std (over seeds; NaN with one), seeds,
    failed (seeds in which it did not converge), winning (of a sparse ticket: its mean is no lower
    than the dense one's, and both converged in every seed), lead (mean less the dense one's).
    """
    rows = frames["tickets"]
    rows = rows[rows["split"] == "test"]
    result = (
        rows.assign(failed=~rows["converged"].astype(bool))
        .groupby(["variant", "ticket"], sort=False)
        .agg(
            density=("density", "mean"),
            mean=("accuracy", "mean"),
            std=("accuracy", "std"),
            seeds=("seed", "nunique"),
            failed=("failed", "sum"),
        )
        .reset_index()
    )
    dense = result[result["ticket"] == 0].set_index("variant")
    of_dense = result["variant"].map(dense["mean"]).astype(float)
    # Equal counts of images, averaged, differ in the last bit.
    lead = (result["mean"] - of_dense).round(9)
    failed = result["variant"].map(dense["failed"]).astype(float)
    sound = (result["failed"] == 0) & (failed == 0)
    return result.assign(lead=lead, winning=(result["ticket"] > 0) & (lead >= 0) & sound)


def crossed_accuracies(frames: Frames) -> pd.DataFrame:
    """Test accuracy of masks trained as another variant, whether or not it converged.

    One row for each variant (of the masks), training and ticket. Columns density, mean, std, failed
    (seeds in which it did not converge).
    """
    rows = frames["crossed"]
    rows = rows[rows["split"] == "test"]
    return (
        rows.assign(failed=~rows["converged"].astype(bool))
        .groupby(["variant", "training", "ticket"], sort=False)
        .agg(
            density=("density", "mean"),
            mean=("accuracy", "mean"),
            std=("accuracy", "std"),
            failed=("failed", "sum"),
        )
        .reset_index()
    )
