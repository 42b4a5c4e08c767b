"""How well a ticket's barrier, its disagreement or its setting's instability tells what pooling
gains: Spearman's rank correlation, with a percentile bootstrap over seeds."""

import math
from dataclasses import dataclass

import pandas as pd

from lp_core.analysis import rank_correlation
from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.no_data import NoData

# By the column of `predictors`, in words.
PREDICTORS = {
    "barrier": "error barrier to its neighbours",
    "disagreement": "disagreement with its neighbours",
    "instability": "instability at its rewind point",
}


# Seeds below which the bootstrap decides nothing: of independent numbers its interval leaves zero
# out in 49% of cases with 2 seeds, 20% with 3 and 14% with 5.
LEAST_SEEDS = 6


@dataclass(frozen=True)
class Correlation:
    """Of one predictor with the gain of one method.

    rho: over all variants and densities, −1 to 1; NaN where it is undefined. within: mean of the
    correlations of each density, over those that have one. low, high: percentiles 2.5 and 97.5 of
    the bootstrap, which cover less than 95% with few seeds; NaN with one. rows: pooled tickets that
    have both numbers; seeds: how many seeds they are of.
    """

    predictor: str
    method: str
    rho: float
    within: float
    low: float
    high: float
    rows: int
    seeds: int

    @property
    def defined(self) -> bool:
        """Whether there is a correlation at all."""
        return self.rho == self.rho

    @property
    def decides(self) -> bool:
        """Whether there are seeds enough to say anything of direction."""
        return self.seeds >= LEAST_SEEDS

    @property
    def certain(self) -> bool:
        """Whether there are seeds enough and the interval leaves zero out."""
        return self.decides and (self.low > 0 or self.high < 0)

    @property
    def interval(self) -> str:
        """`−0.71 to −0.40`; empty where there is none."""
        return f"{signed(self.low)} to {signed(self.high)}" if self.low == self.low else ""

    @property
    def in_short(self) -> str:
        """For the title of a panel."""
        if not self.defined:
            return f"No rank correlation ({self.rows} tickets)"
        interval = f" ({self.interval})" if self.interval else " (one seed: no interval)"
        within = f"; within density {signed(self.within)}" if self.within == self.within else ""
        return f"Spearman's ρ {signed(self.rho)}{interval}{within}\n{self.rows} tickets"


def correlations(frames: Frames, method: str) -> list[Correlation]:
    """Of every predictor that has a number, in the order of `PREDICTORS`; barrier and disagreement
    in any case."""
    rows = frames["predictors"]
    rows = rows[rows["method"] == method]
    found = []
    for predictor in PREDICTORS:
        both = rows.dropna(subset=[predictor, "gain"])
        if both.empty and predictor == "instability":
            continue
        own = rank_correlation(
            both[predictor].tolist(), both["gain"].tolist(), both["seed"].tolist()
        )
        found.append(
            Correlation(
                predictor,
                method,
                own.rho,
                _within(both, predictor),
                own.low,
                own.high,
                len(both),
                int(both["seed"].nunique()),
            )
        )
    return found


def bootstrap(seeds: int) -> str:
    """What the intervals are, and that few seeds do not decide."""
    if seeds < 2:
        return "one seed: no interval"
    few = ", too few to decide" if seeds < LEAST_SEEDS else ""
    return f"percentile bootstrap over {seeds} seeds{few}"


def _within(rows: pd.DataFrame, predictor: str) -> float:
    """Mean over densities; NaN where none has a correlation. Each has its own level of both."""
    own = [
        rank_correlation(of[predictor].tolist(), of["gain"].tolist(), of["seed"].tolist()).rho
        for _, of in rows.groupby(rows["density"].round(4))
    ]
    defined = [rho for rho in own if rho == rho]
    return sum(defined) / len(defined) if defined else math.nan


def pooled_methods(frames: Frames) -> list[str]:
    """The methods that have rows in `predictors`."""
    return list(dict.fromkeys(frames["predictors"]["method"]))


def leading_method(frames: Frames, params: Params) -> str:
    """The method that leads the report: the first of `pooling.corrupted`, or of `pooling.methods`.

    Raises NoData where nothing was pooled.
    """
    present = pooled_methods(frames)
    named = [
        *params.section("pooling.corrupted", list[str]),
        *params.section("pooling.methods", list[str]),
    ]
    for method in [*named, *present]:
        if method in present:
            return method
    raise NoData("table `predictors` has no rows: nothing was pooled")


def signed(value: float) -> str:
    """With two decimals and a sign: `−0.62`."""
    text = f"{value + 0.0:+.2f}"
    return "0.00" if not text.strip("+-0.") else text.replace("-", "−")
