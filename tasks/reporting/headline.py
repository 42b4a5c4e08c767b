"""The report's first sentences, made from its numbers: what pooling gains, what rewinding does."""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Literal

import pandas as pd

from lp_core.corruptions.spec import CorruptSpec
from tasks.reporting.figures.matrices import pair_gains
from tasks.reporting.figures.results import Results
from tasks.reporting.figures.style import PLACES, percent, points, styles
from tasks.reporting.summary import by_density, gains

HALF_A_POINT = 0.005

Effect = Literal["visible", "reversed", "none"]


def sentences(results: Results, tests: pd.DataFrame, left_out: list[str]) -> list[str]:
    """tests: of `tasks.reporting.summary.paired`. left_out: of `tasks.reporting.converged.said`."""
    found = [_setting(results), *left_out, *_corrupted(results)]
    if results.pooled:
        for place in PLACES:
            found += _gain(results, tests, results.pooled[0], results.main[0], place)
        found += _dense(results, results.pooled[0], results.main[0])
    return found + rewinding(results)


def effect(rewound: Sequence[float], other: Sequence[float], more_is_better: bool) -> Effect:
    """Whether rewinding makes a difference: one number a seed with it, one without.

    It does if the means differ by at least half a point and no seed of one lies among the other's;
    `reversed` is such a difference for the worse.
    """
    sign = 1 if more_is_better else -1
    better = [sign * value for value in rewound]
    worse = [sign * value for value in other]
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
    """The verdict, and the numbers that it follows, of the first two variants that differ in
    rewinding and in nothing else."""
    pair = _pair(results)
    if pair is None:
        return [
            "Rewinding's effect is not measured: `grid` has no two variants, one with rewinding "
            "and one without, that are otherwise alike and have tickets that converged."
        ]
    heights, averages = barrier_by_pair(results).dropna(), average_by_pair(results)
    if any(not set(pair) <= set(table["variant"]) for table in (heights, averages)):
        return [
            f"Rewinding's effect is not measured: variant {pair[0]} or {pair[1]} has no two "
            "neighbouring tickets that converged."
        ]

    def seeds(table: pd.DataFrame, variant: str) -> list[float]:
        found = table[table["variant"] == variant].groupby("seed")["value"].mean()
        return [float(value) for value in found]

    rewound, other = pair
    high = {v: heights[heights["variant"] == v]["value"] for v in pair}
    mean = {v: averages[averages["variant"] == v]["value"].mean() for v in pair}
    many = [len(seeds(heights, v)) for v in pair]
    return [
        verdict(
            effect(seeds(heights, rewound), seeds(heights, other), more_is_better=False),
            effect(seeds(averages, rewound), seeds(averages, other), more_is_better=True),
        ),
        f"Error barrier of neighbouring tickets: mean {points(high[rewound].mean(), '.2f')}, "
        f"highest {points(high[rewound].max(), '.2f')} points with rewinding (variant {rewound}); "
        f"mean {points(high[other].mean(), '.2f')}, highest "
        f"{points(high[other].max(), '.2f')} points without (variant {other}).",
        f"The average of two neighbours against the sparser one: {points(mean[rewound])} points "
        f"with rewinding, {points(mean[other])} without (test accuracy, means over pairs and "
        "seeds). An effect counts as visible if the means differ by half a point or more and the "
        f"seeds of both variants do not overlap; {many[0]} and {many[1]} seeds of networks alike "
        f"would not overlap in {apart_by_chance(*many):.0%} of cases.",
    ]


def apart_by_chance(one: int, other: int) -> float:
    """How often (0–1) so many numbers and so many others, all drawn alike, do not overlap."""
    return min(1.0, 2 / math.comb(one + other, one))


def _pair(results: Results) -> tuple[str, str] | None:
    """A variant with rewinding and one without, alike in all else; in the grid's order."""
    for one, other in permutations(results.variants, 2):
        rewound = results.rewound_to(one) and not results.rewound_to(other)
        if rewound and results.raw(one) | {"rewind": 0} == results.raw(other) | {"rewind": 0}:
            return one, other
    return None


def barrier_by_pair(results: Results) -> pd.DataFrame:
    """Error barriers on test images. Columns variant, seed, value."""
    rows = results.frames["barriers"].query("split == 'test'")
    return rows.rename(columns={"error_barrier": "value"})[["variant", "seed", "value"]]


def average_by_pair(results: Results) -> pd.DataFrame:
    """Heat-map gain of neighbours. Columns variant, seed, value."""
    rows = pair_gains(results.frames["heatmap"]).rename(columns={"gain": "value"})
    return rows[rows["ticket_a"] + 1 == rows["ticket_b"]][["variant", "seed", "value"]]


def _setting(results: Results) -> str:
    densities = results.densities(results.variants[0])
    seeds = max(results.seeds(v) for v in results.variants)
    names = ", ".join(results.described(v) for v in results.variants)
    return (
        f"{results.models(results.variants)} on {results.dataset}: {len(densities)} tickets from "
        f"{percent(densities.max())}% to {percent(densities.min())}% density, {seeds} "
        f"seed{'s' if seeds > 1 else ''}; variants: {names}."
    )


def _corrupted(results: Results) -> list[str]:
    seen = results.frames["ood"][["corruption", "severity"]].nunique()
    if not seen["corruption"]:
        return []
    spec = results.params.section("corrupt", CorruptSpec)
    made = "generated" if spec.source == "generate" else "the official ones"
    images = "all" if spec.images is None else f"a class-balanced {spec.images} of the"
    return [
        f"Corrupted images: {seen['corruption']} corruptions (the benchmark's own mean is over 15) "
        f"at {seen['severity']} severities, {made}, {images} test images for each."
    ]


def _gain(
    results: Results, tests: pd.DataFrame, variant: str, method: str, place: str
) -> list[str]:
    gained = gains(results.frames)
    here = (gained["variant"] == variant) & (gained["method"] == method)
    rows = gained[here & (gained["place"] == place)]
    if rows.empty:
        return []
    by_ticket = rows.groupby("ticket")["gain"].mean()
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
    if not {"ticket", method} <= set(found.index):
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
