"""How fast a training comes to what it comes to."""

from collections.abc import Sequence

from lp_core.errors import InputError


def convergence_speed(errors: Sequence[float]) -> float:
    """The mean over the epochs of how much of the whole improvement was there (SGD noise, eq. 4).

    errors: fractions 0–1 before training and after each epoch. 1 for a training that has its last
    error after the first epoch, lower for a slower one; above 1 where it was better on the way. NaN
    where an error is (a run that diverged), and where the last is no lower than the first: nothing
    was learned. Raises InputError for fewer than two errors.
    """
    if len(errors) < 2:
        raise InputError(
            f"{len(errors)} errors were given; give that before training and one for each epoch"
        )
    before, *after = errors
    improvement = before - after[-1]
    if any(error != error for error in errors) or improvement <= 0:
        return float("nan")
    return sum(before - error for error in after) / (len(after) * improvement)
