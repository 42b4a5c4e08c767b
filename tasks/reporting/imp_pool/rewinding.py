"""What rewinding does, in sentences that follow from the numbers of a run."""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Literal

import pandas as pd

from tasks.reporting.imp_pool.figures.matrices import pair_gains
from tasks.reporting.imp_pool.results import Results
from tasks.reporting.style import points

HALF_A_POINT = 0.005

Effect = Literal["visible", "reversed", "none"]


def rewinding(results: Results) -> list[str]:
    """The verdict and the numbers behind it, of the first two variants that differ in rewinding
    and in nothing else."""
    pair = _pair(results)
    if pair is None:
        return [
            "Rewinding's effect is not measured: `grid` has no two variants, one with rewinding "
            "and one without, that are otherwise alike and have tickets that converged."
        ]
    heights, averages = neighbour_barriers(results).dropna(), neighbour_gains(results)
    if any(not set(pair) <= set(table["variant"]) for table in (heights, averages)):
        return [
            f"Rewinding's effect is not measured: variant {pair[0]} or {pair[1]} has no two "
            "neighbouring tickets that converged."
        ]

    def by_seed(table: pd.DataFrame, variant: str) -> list[float]:
        means = table[table["variant"] == variant].groupby("seed")["value"].mean()
        return [float(value) for value in means]

    rewound, straight = pair
    high = {v: heights[heights["variant"] == v]["value"] for v in pair}
    mean = {v: averages[averages["variant"] == v]["value"].mean() for v in pair}
    seeds = [len(by_seed(heights, v)) for v in pair]
    return [
        verdict(
            effect(by_seed(heights, rewound), by_seed(heights, straight), more_is_better=False),
            effect(by_seed(averages, rewound), by_seed(averages, straight), more_is_better=True),
        ),
        f"Error barrier of neighbouring tickets: mean {points(high[rewound].mean(), '.2f')}, "
        f"highest {points(high[rewound].max(), '.2f')} points with rewinding (variant {rewound}); "
        f"mean {points(high[straight].mean(), '.2f')}, highest "
        f"{points(high[straight].max(), '.2f')} points without (variant {straight}).",
        f"The average of two neighbours against the sparser one: {points(mean[rewound])} points "
        f"with rewinding, {points(mean[straight])} without (test accuracy, means over pairs and "
        "seeds). An effect counts as visible if the means differ by half a point or more and the "
        f"seeds of both variants do not overlap; {seeds[0]} and {seeds[1]} seeds of networks alike "
        f"would not overlap in {apart_by_chance(*seeds):.0%} of cases.",
    ]


def effect(rewound: Sequence[float], straight: Sequence[float], more_is_better: bool) -> Effect:
    """Whether rewinding makes a difference: one number for each seed with it, and without it.

    `visible`: the means differ by half a point or more, and every seed with rewinding is better
    than every seed without. `reversed`: the same with every seed worse. `none`: anything else.
    """
    sign = 1 if more_is_better else -1
    better = [sign * value for value in rewound]
    worse = [sign * value for value in straight]
    apart = sum(better) / len(better) - sum(worse) / len(worse)
    if apart >= HALF_A_POINT and min(better) > max(worse):
        return "visible"
    if -apart >= HALF_A_POINT and min(worse) > max(better):
        return "reversed"
    return "none"


def verdict(barriers: Effect, averages: Effect) -> str:
    """One sentence on both measures of what rewinding does."""
    effects = {
        "the barriers between neighbours": barriers,
        "the averages of neighbours": averages,
    }
    visible = [measure for measure, effect in effects.items() if effect == "visible"]
    against = [measure for measure, effect in effects.items() if effect == "reversed"]
    if len(visible) == 2:
        return f"Rewinding's effect is visible in {' and in '.join(visible)}."
    if visible and against:
        return (
            f"Rewinding's effect is visible in {visible[0]}, but {against[0]} point the other "
            "way: they are better without it."
        )
    if visible:
        [unchanged] = effects.keys() - {*visible}
        return f"Rewinding's effect is visible in {visible[0]}, but not in {unchanged}."
    if against:
        return f"Rewinding does not help here: {' and '.join(against)} are better without it."
    return "Rewinding's effect is not visible here."


def apart_by_chance(first: int, second: int) -> float:
    """How often (0–1) two samples of these sizes do not overlap, though drawn alike."""
    return min(1.0, 2 / math.comb(first + second, first))


def neighbour_barriers(results: Results) -> pd.DataFrame:
    """Error barriers on test images. Columns variant, seed, value."""
    rows = results.frames["barriers"].query("split == 'test'")
    return rows.rename(columns={"error_barrier": "value"})[["variant", "seed", "value"]]


def neighbour_gains(results: Results) -> pd.DataFrame:
    """Heat-map gain of neighbours. Columns variant, seed, value."""
    rows = pair_gains(results.frames["heatmap"]).rename(columns={"gain": "value"})
    return rows[rows["ticket_a"] + 1 == rows["ticket_b"]][["variant", "seed", "value"]]


def _pair(results: Results) -> tuple[str, str] | None:
    """A variant with rewinding and one without, alike in all else; in the grid's order."""
    trained = [name for name in results.variants if name not in results.imported]
    for first, second in permutations(trained, 2):
        alike = results.params_of(first) | {"rewind": 0} == results.params_of(second) | {
            "rewind": 0
        }
        if alike and results.rewound_to(first) and not results.rewound_to(second):
            return first, second
    return None
