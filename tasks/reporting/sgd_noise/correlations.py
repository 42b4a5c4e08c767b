"""How well a ticket's barrier, its disagreement or its setting's instability tells what pooling
gains: Spearman's rank correlation, with a bootstrap interval over seeds."""

from dataclasses import dataclass

from lp_core.analysis import rank_correlation
from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.part import NoData

# By the column of `predictors`, in words.
PREDICTORS = {
    "barrier": "error barrier to its neighbours",
    "disagreement": "disagreement with its neighbours",
    "instability": "instability at its rewind point",
}


@dataclass(frozen=True)
class Correlation:
    """Of one predictor with the gain of one method.

    rho: −1 to 1; NaN where it is undefined. low, high: of the 95% interval; NaN with one seed.
    rows: pooled tickets that have both numbers; seeds: how many seeds they are of.
    """

    predictor: str
    method: str
    rho: float
    low: float
    high: float
    rows: int
    seeds: int

    @property
    def defined(self) -> bool:
        """Whether there is a correlation at all."""
        return self.rho == self.rho

    @property
    def certain(self) -> bool:
        """Whether the interval leaves zero out; False where there is no interval."""
        return self.low > 0 or self.high < 0

    @property
    def interval(self) -> str:
        """`−0.71 to −0.40`; empty where there is none."""
        return f"{signed(self.low)} to {signed(self.high)}" if self.low == self.low else ""

    @property
    def in_short(self) -> str:
        """For the title of a panel."""
        if not self.defined:
            return f"No rank correlation ({self.rows} tickets)"
        within = f" (95%: {self.interval})" if self.interval else " (one seed: no interval)"
        return f"Spearman's ρ {signed(self.rho)}{within}, {self.rows} tickets"


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
                own.low,
                own.high,
                len(both),
                int(both["seed"].nunique()),
            )
        )
    return found


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
