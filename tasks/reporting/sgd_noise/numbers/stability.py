"""Tables of barriers, of what changes them, of forgetting and of stable rewind points."""

import pandas as pd

from tasks.reporting.part import Table
from tasks.reporting.sgd_noise.effects import Effect, effects
from tasks.reporting.sgd_noise.figures.forgetting import describe
from tasks.reporting.sgd_noise.measures import DECIDES, start_barriers
from tasks.reporting.sgd_noise.numbers.cells import SETTING, change, over, setting_cells, written
from tasks.reporting.sgd_noise.results import REWIND, Results


def barrier_tables(results: Results) -> list[Table]:
    """Barriers by variant and start, and on parts of the images."""
    test, held_out = (start_barriers(results.frames, split) for split in ("test", DECIDES))
    keys = ["variant", "start", "removed"]
    both = test.merge(held_out, on=keys, how="left", suffixes=("", "_val"))
    lines, parts = [], []
    for variant in results.grid:
        for row in both[both["variant"] == variant].itertuples():
            numbers = [
                written(100 * row.mean, 100 * row.std),
                written(100 * row.mean_val, 100 * row.std_val),
                f"{100 * row.stable_val:.0f}" if row.stable_val == row.stable_val else "–",
                str(row.pairs) + (f" ({row.lost} failed)" if row.lost else ""),
            ]
            if row.removed is None or row.removed != row.removed:
                lines.append([*setting_cells(results, variant), results.named(row.start), *numbers])
            else:
                parts.append([*setting_cells(results, variant), describe(row.removed), *numbers])
    measured = ["Barrier, test", "Barrier, held out", "Stable pairs (%)", "Pairs"]
    note = (
        "Barriers in points, mean ± standard deviation over pairs of forks and seeds. A pair is "
        f"stable if its held-out barrier is below {100 * results.threshold:g} points. A failed "
        "pair, with a fork that did not converge, has no barrier and is not stable."
    )
    tables = []
    if lines:
        head = [*SETTING, "Forks start at", *measured]
        tables.append(Table(f"{results.setting}: error barrier between forks", head, lines, note))
    if parts:
        head = [*SETTING, "Trained", *measured]
        title = f"{results.setting}: error barrier between forks on a part of the images"
        tables.append(Table(title, head, parts, note))
    return tables


def effect_tables(results: Results) -> list[Table]:
    """What momentum, batch size and rewinding do to the barrier, start by start."""
    lines = [
        [
            effect.name,
            results.named(effect.start),
            effect.span,
            change(effect.changes["change"]),
            f"{effect.up} of {len(effect.changes)}",
            f"{effect.down} of {len(effect.changes)}",
            "up" if effect.papers_sign > 0 else "down",
            _sign(effect),
        ]
        for effect in effects(results)
    ]
    if not lines:
        return []
    head = ["Setting", "Forks start at", "From → to", "Change (points)", "Up in", "Down in"]
    return [
        Table(
            f"{results.setting}: what changes the error barrier on test images",
            [*head, "In the paper", "Mean agrees"],
            lines,
            "Pairs of variants that are equal in all other settings, and of one seed; ± is the "
            "standard deviation over these pairs. Undecided: not distinguishable from none, since "
            "the seeds' means differ in sign or the mean is below two standard errors over pairs.",
            words=2,
        )
    ]


def forgetting_tables(results: Results) -> list[Table]:
    """Table 1 of the paper: events, unforgettable samples, convergence."""
    rows = results.rows_of("forks", start=REWIND, removed=None, split="test")
    lines = []
    for variant in results.grid:
        own = rows[rows["variant"] == variant]
        if own.empty:
            continue
        lines.append(
            [
                *setting_cells(results, variant),
                written(own["events"].mean(), own["events_std"].mean()),
                _shares(own["unforgettable"]),
                _shares(own["never_learned"]),
                written(own["convergence"].mean(), own["convergence"].std(), 3),
                _shares(own["accuracy"]),
            ]
        )
    if not lines:
        return []
    head = [*SETTING, "Forgetting events", "Unforgettable (%)", "Never learned (%)"]
    return [
        Table(
            f"{results.setting}: forgetting and convergence of the forks at the rewind point",
            [*head, "Convergence", "Test accuracy (%)"],
            lines,
            "Events: mean ± standard deviation over the samples, counted from the fork on. The "
            "rest: mean ± standard deviation over forks and seeds. Convergence: equation 4 on "
            "held-out images, 1 is at once.",
        )
    ]


def rewind_tables(results: Results) -> list[Table]:
    """Table 15 of the paper: the first stable epoch."""
    rows = results.rows_of("stable_rewind")
    lines = []
    for variant in results.grid:
        own = rows[rows["variant"] == variant]
        if own.empty:
            continue
        last = int(own["epochs"].iloc[0])
        never = int((own["epoch"] >= last).sum())
        lines.append(
            [
                *setting_cells(results, variant)[:3],
                written(own["epoch"].mean(), own["epoch"].std(), 1),
                str(last),
                f"{never} of {len(own)}",
                f"{int(own['monotone'].astype(bool).sum())} of {len(own)}",
            ]
        )
    if not lines:
        return []
    head = [*SETTING[:3], "First stable epoch", "Of epochs", "Stable at none", "No contradiction"]
    return [
        Table(
            f"{results.setting}: the first epoch at which forks are stable"
            f"{over(results.seeds('stable_rewind'))}",
            head,
            lines,
            "A seed that is stable at no epoch counts as the last one. No contradiction: seeds in "
            "which no probe contradicts that all later epochs are stable, too.",
        )
    ]


def _sign(effect: Effect) -> str:
    if not effect.distinguishable:
        return "undecided"
    return "yes" if effect.sign == effect.papers_sign else "no"


def _shares(values: "pd.Series[float]") -> str:
    return written(100 * values.mean(), 100 * values.std())
