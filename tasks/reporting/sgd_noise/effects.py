"""What one setting does to the error barrier where all else is equal, against the paper's sign."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from tasks.reporting.sgd_noise.measures import seed_barriers
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.sgd_noise.settings import FACTORS, Factor, Setting


@dataclass(frozen=True)
class Effect:
    """Changes of the barrier from the lowest to the highest value of one factor.

    changes: columns low, high (values of the factor), seed, change (0–1); one row for each pair of
    variants that are alike in all else, and seed.
    """

    factor: Factor
    start: str
    changes: pd.DataFrame

    @property
    def name(self) -> str:
        """The factor in words."""
        return FACTORS[self.factor][0]

    @property
    def span(self) -> str:
        """The values compared: `0 → 0.9`, `0 → 2 epochs`."""
        ends = [sorted(set(self.changes[end])) for end in ("low", "high")]
        unit = " epochs" if self.factor == "rewind" else ""
        return " → ".join(" or ".join(f"{value:g}" for value in values) for values in ends) + unit

    @property
    def mean(self) -> float:
        """Mean change (0–1)."""
        return float(self.changes["change"].mean())

    @property
    def up(self) -> int:
        """Pairs in which the barrier rises."""
        return int((self.changes["change"].round(9) > 0).sum())

    @property
    def down(self) -> int:
        """Pairs in which it falls."""
        return int((self.changes["change"].round(9) < 0).sum())

    @property
    def sign(self) -> int:
        """Of the mean change as it is printed, in hundredths of a point."""
        rounded = round(100 * self.mean, 2)
        return (rounded > 0) - (rounded < 0)

    @property
    def papers_sign(self) -> int:
        """What the paper finds when the factor rises."""
        return FACTORS[self.factor][1]

    @property
    def distinguishable(self) -> bool:
        """Whether the seeds' means have one sign, and the mean over pairs lies two standard errors
        or more from zero. False with one pair."""
        by_seed = self.changes.groupby("seed")["change"].mean()
        one_sign = bool((by_seed > 0).all() or (by_seed < 0).all())
        error = float(self.changes["change"].std()) / len(self.changes) ** 0.5
        return self.sign != 0 and one_sign and abs(self.mean) >= 2 * error

    @property
    def verdict(self) -> str:
        """The end of a sentence: whether the mean has the paper's sign, if any."""
        if not self.distinguishable:
            return "not distinguishable from none at this budget"
        word = "up" if self.papers_sign > 0 else "down"
        same = self.sign == self.papers_sign
        return f"{'' if same else 'the opposite of '}the paper's sign ({word})"


def effects(results: Results) -> list[Effect]:
    """Every effect at every start that some pair of variants shows."""
    rows = seed_barriers(results.frames)
    rows = rows[rows["removed"].isna()].dropna(subset="barrier")
    found = []
    for start in results.starts:
        heights = rows[rows["start"] == start].set_index(["variant", "seed"])["barrier"]
        known = {name for name, _ in heights.index}
        for factor in FACTORS:
            changes = [
                {"low": low, "high": high, "seed": seed, "change": heights[b, seed] - height}
                for a, b, low, high in _pairs(results, known, factor)
                for seed, height in heights[a].items()
                if (b, seed) in heights.index
            ]
            if changes:
                found.append(Effect(factor, start, pd.DataFrame(changes)))
    return found


def _pairs(
    results: Results, known: set[str], factor: Factor
) -> Iterator[tuple[str, str, float, float]]:
    """Of variants alike but for the factor, the one with its lowest and with its highest value."""
    groups: dict[Setting, dict[float, str]] = {}
    for name, setting in results.settings.items():
        value = setting.value(factor)
        if name in known and value is not None:
            groups.setdefault(setting.without(factor), {}).setdefault(value, name)
    for by_value in groups.values():
        low, high = min(by_value), max(by_value)
        if low < high:
            yield by_value[low], by_value[high], low, high
