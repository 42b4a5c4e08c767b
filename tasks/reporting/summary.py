"""What `dvc metrics`, `dvc plots` and `results/summary.md` show of all flows that ran.

Each function takes every table of `lp_core.tables`, whole; runs that did not converge are named in
the summary and are part of no mean.
"""

from typing import Any

from tasks.reporting.frames import Frames
from tasks.reporting.imp_pool import summary as imp_pool
from tasks.reporting.imp_pool.converged import unconverged_sentences, without_unconverged
from tasks.reporting.imp_pool.rows import own
from tasks.reporting.sgd_noise import rows as sgd_rows
from tasks.reporting.sgd_noise import summary as sgd_noise
from tasks.reporting.sup_tickets import rows as sup_rows
from tasks.reporting.sup_tickets import summary as sup_tickets


def metrics(frames: Frames) -> dict[str, Any]:
    """Numbers by variant; those of sparse training below `sup_tickets`, of forks below
    `sgd_noise`. What tells the gain of pooling, over all variants, is below `predictors`."""
    numbers = imp_pool.metrics(without_unconverged(own(frames)))
    sparse = sup_tickets.metrics(sup_rows.without_unconverged(sup_rows.own(frames)))
    for variant, by_method in sparse.items():
        numbers.setdefault(variant, {})["sup_tickets"] = by_method
    forks = sgd_rows.without_unconverged(frames)
    for variant, of_forks in sgd_noise.metrics(forks).items():
        numbers.setdefault(variant, {})["sgd_noise"] = of_forks
    predictors = sgd_noise.predictor_metrics(forks)
    return numbers | ({"predictors": predictors} if predictors else {})


def plots(frames: Frames) -> Frames:
    """Tables by the name of their plot."""
    return imp_pool.plots(without_unconverged(own(frames)))


def summary(frames: Frames) -> str:
    """Tables in Markdown, and what did not converge."""
    mine = own(frames)
    lines = []
    if len(mine["tickets"]):
        lines += [imp_pool.summary(without_unconverged(mine)), *unconverged_sentences(mine)]
    sparse = sup_rows.own(frames)
    if len(sparse["sup_tickets"]):
        lines.append(sup_tickets.summary(sup_rows.without_unconverged(sparse)))
        lines += sup_rows.unconverged_sentences(sparse)
    forks = sgd_noise.summary(sgd_rows.without_unconverged(frames))
    if forks:
        lines += [forks, *sgd_rows.unconverged_sentences(frames)]
    return "\n".join(lines)
