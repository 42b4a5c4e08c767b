"""The report's first sentences, made from its numbers: what pooling gains, what rewinding does."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import pandas as pd

from tasks.figures.matrices import pair_gains
from tasks.figures.results import Results
from tasks.figures.style import percent, points, styles
from tasks.summary import by_density, gains

HALF_A_POINT = 0.005
PLACES = {"test": "test images", "corrupted": "corrupted images"}

Effect = Literal["visible", "reversed", "none"]


def sentences(results: Results, tests: pd.DataFrame) -> list[str]:
    """tests: of `tasks.summary.paired`."""
    found = [_setting(results)]
    if results.pooled and results.main:
        for place in PLACES:
            found += _gain(results, tests, results.pooled[0], results.main[0], place)
        found += _dense(results, results.pooled[0], results.main[0])
    return found + rewinding(results)


def effect(rewound: Sequence[float], other: Sequence[float], more_is_better: bool) -> Effect:
    """Whether rewinding makes a difference: one number a seed with it, one without.

    It does if the means differ by at least half a point and no seed of one lies among the other's;
    `reversed` is such a difference for the worse. NaN (a run that diverged) counts for nothing.
    """
    sign = 1 if more_is_better else -1
    better = [sign * value for value in rewound if not math.isnan(value)]
    worse = [sign * value for value in other if not math.isnan(value)]
    if not better or not worse:
        return "none"
    apart = sum(better) / len(better) - sum(worse) / len(worse)
    if apart >= HALF_A_POINT and min(better) > max(worse):
        return "visible"
    if -apart >= HALF_A_POINT and min(worse) > max(better):
        return "reversed"
    return "none"


def verdict(barriers: Effect, averages: Effect) -> str:
    """One plain sentence on both measures of what rewinding does."""
    places = {"the barriers between neighbours": barriers, "their averages": averages}
    seen = [name for name, what in places.items() if what == "visible"]
    against = [name for name, what in places.items() if what == "reversed"]
    if seen and not against:
        beyond = (
            "" if len(seen) == 2 else f", but not in {next(n for n in places if n not in seen)}"
        )
        return f"Rewinding's effect is visible in {' and in '.join(seen)}{beyond}."
    if seen:
        return (
            f"Rewinding's effect is visible in {seen[0]}, but {against[0]} point the other way: "
            "they are better without it."
        )
    turned = f"; {' and '.join(against)} are even better without it" if against else ""
    return f"Rewinding's effect is not visible here{turned}."


def rewinding(results: Results) -> list[str]:
    """The verdict, and the numbers that it follows; the first variant with rewinding against the
    first without."""
    epochs = {variant: results.rewound_to(variant) for variant in results.variants}
    with_, without = (
        next((v for v, epoch in epochs.items() if (epoch > 0) is rewound), None)
        for rewound in (True, False)
    )
    if with_ is None or without is None:
        lacking = "with" if with_ is None else "without"
        return [f"Rewinding's effect is not measured: no variant {lacking} it is in `grid`."]
    heights, averages = barrier_by_pair(results), average_by_pair(results)
    if not all({with_, without} <= set(table["variant"]) for table in (heights, averages)):
        return ["Rewinding's effect is not measured: a variant lacks its barriers or averages."]

    def seeds(table: pd.DataFrame, variant: str) -> list[float]:
        found = table[table["variant"] == variant].groupby("seed")["value"].mean()
        return [float(value) for value in found]

    plain = verdict(
        effect(seeds(heights, with_), seeds(heights, without), more_is_better=False),
        effect(seeds(averages, with_), seeds(averages, without), more_is_better=True),
    )
    high = {v: heights[heights["variant"] == v]["value"] for v in (with_, without)}
    mean = {v: averages[averages["variant"] == v]["value"].mean() for v in (with_, without)}
    return [
        plain,
        f"Error barrier of neighbouring tickets: mean {points(high[with_].mean(), '.2f')}, highest "
        f"{points(high[with_].max(), '.2f')} points with rewinding (variant {with_}); mean "
        f"{points(high[without].mean(), '.2f')}, highest {points(high[without].max(), '.2f')} "
        f"points without (variant {without}).",
        f"The average of two neighbours against the sparser one: {points(mean[with_])} points "
        f"with rewinding, {points(mean[without])} without (test accuracy, means over pairs and "
        "seeds). An effect counts as visible if the means differ by half a point or more and the "
        "seeds of both variants do not overlap.",
    ]


def barrier_by_pair(results: Results) -> pd.DataFrame:
    """Error barriers on test images. Columns variant, seed, value."""
    rows = results.frames["barriers"].query("split == 'test'")
    return rows.rename(columns={"error_barrier": "value"})[["variant", "seed", "value"]]


def average_by_pair(results: Results) -> pd.DataFrame:
    """Heat-map gain of neighbours. Columns variant, seed, value."""
    rows = pair_gains(results.frames["heatmap"]).rename(columns={"gain": "value"})
    numbers = sorted({*rows["ticket_a"], *rows["ticket_b"]})
    following = dict(pairwise(numbers))
    adjacent = rows["ticket_a"].map(following) == rows["ticket_b"]
    return rows[adjacent][["variant", "seed", "value"]]


def _setting(results: Results) -> str:
    models = list(dict.fromkeys(results.model(v) for v in results.variants))
    densities = results.densities(results.variants[0])
    seeds = max(results.seeds(v) for v in results.variants)
    names = ", ".join(results.described(v) for v in results.variants)
    return (
        f"{' and '.join(models)} on {results.dataset}: {len(densities)} tickets from "
        f"{percent(densities.max())}% to {percent(densities.min())}% density, {seeds} "
        f"seed{'s' if seeds > 1 else ''}; variants: {names}."
    )


def _gain(
    results: Results, tests: pd.DataFrame, variant: str, method: str, place: str
) -> list[str]:
    gained = gains(results.frames)
    here = (gained["variant"] == variant) & (gained["method"] == method)
    rows = gained[here & (gained["place"] == place)]
    by_ticket = rows.groupby("ticket")["gain"].mean().dropna()
    if by_ticket.empty:
        return []
    best = by_ticket.idxmax()
    same = (tests["variant"] == variant) & (tests["method"] == method) & (tests["place"] == place)
    tested = "".join(
        f"; paired Wilcoxon test over {int(row.pairs)} pairs: {p_value(float(row.p))}"
        for row in tests[same].itertuples()
    )
    where = percent(results.densities(variant)[best])
    return [
        f"{styles([method])[method].label} on {PLACES[place]}: {points(by_ticket.mean())} "
        f"points over the unpooled tickets on average, at best {points(by_ticket.max())} "
        f"points at {where}% density (variant {variant}{tested})."
    ]


def _dense(results: Results, variant: str, method: str) -> list[str]:
    rows = by_density(results.frames)
    rows = rows[(rows["variant"] == variant) & (rows["place"] == "test") & (rows["ticket"] == 0)]
    found = rows.set_index("method")["mean"]
    if not {"ticket", method} <= set(found.dropna().index):
        return []
    return [
        f"The dense network goes from {100 * found['ticket']:.2f}% to {100 * found[method]:.2f}% "
        "test accuracy when its sparse descendants are pooled into it."
    ]


def p_value(p: float) -> str:
    """`p = 0.03`; very small ones as a bound, since the test's assumptions do not reach there."""
    if math.isnan(p):
        return "p is undefined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
