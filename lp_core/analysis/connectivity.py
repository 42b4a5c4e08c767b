"""Whether two networks lie in one basin: the barrier on the straight line between them."""

from collections.abc import Sequence

from lp_core.errors import InputError


def error_barrier(errors: Sequence[float]) -> float:
    """The highest error on the line between two networks, less the mean of its ends.

    errors: fractions 0–1 (or losses, for the loss barrier) at rising or falling alpha; the first
    and the last are the two networks themselves. From 2% (0.02) on, a network counts as unstable
    to SGD noise. A path without a hill still has half the difference of its ends. NaN where an
    error is (a run that diverged). Source: SGD noise, equation 3. Raises InputError for fewer than
    two errors.
    """
    if len(errors) < 2:
        raise InputError(f"{len(errors)} errors were given; a path has at least its two ends")
    if any(error != error for error in errors):
        return float("nan")
    return float(max(errors) - (errors[0] + errors[-1]) / 2)
