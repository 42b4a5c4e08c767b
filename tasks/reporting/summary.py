"""What `dvc metrics`, `dvc plots` and `results/summary.md` show of all flows that ran.

Each function takes every table of `lp_core.tables`, whole; runs that did not converge are named in
the summary and are part of no mean.
"""

from typing import Any

from tasks.reporting.imp_pool import summary as imp_pool
from tasks.reporting.imp_pool.converged import unconverged_sentences, without_unconverged
from tasks.reporting.imp_pool.rows import own
from tasks.reporting.part import Frames


def metrics(frames: Frames) -> dict[str, Any]:
    """Numbers by variant."""
    return imp_pool.metrics(without_unconverged(own(frames)))


def plots(frames: Frames) -> Frames:
    """Tables by the name of their plot."""
    return imp_pool.plots(without_unconverged(own(frames)))


def summary(frames: Frames) -> str:
    """Tables in Markdown, and what did not converge."""
    mine = own(frames)
    lines = []
    if len(mine["tickets"]):
        lines += [imp_pool.summary(without_unconverged(mine)), *unconverged_sentences(mine)]
    return "\n".join(lines)
