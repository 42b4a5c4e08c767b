"""What this flow's figures and tables are made from: tables, parameters, the paper's numbers."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.kit.params import Params, overlay
from tasks.reporting.frames import Frames
from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.published import PUBLISHED
from tasks.reporting.sgd_noise.rows import OWN
from tasks.reporting.sgd_noise.settings import Setting, setting_of
from tasks.reporting.style import Style, percent, variant_styles

REWIND = "rewind"  # the start that is the dense network at its rewind point


@dataclass(frozen=True)
class Results:
    """Forks, and what is done with tickets. frames: of `rows.without_unconverged`."""

    frames: Frames
    params: Params
    folder: Path = PUBLISHED  # of the paper's numbers

    @cached_property
    def grid(self) -> list[str]:
        """Every variant that was trained here, in the order of the parameters."""
        return self.params.section("grid", list[str])

    @cached_property
    def pooled(self) -> list[str]:
        """Every variant that may have pooled tickets: imported ones, too, behind the grid."""
        return [*self.grid, *self.params.section("imports", dict[str, Any])]

    @cached_property
    def known(self) -> list[str]:
        """The grid, and behind it what its masks are trained as besides."""
        return list(dict.fromkeys([*self.grid, *self.frames["crossed"]["training"]]))

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """By variant."""
        raw = self.params.raw
        return {name: setting_of(overlay(raw, raw["variants"][name])) for name in self.known}

    @cached_property
    def threshold(self) -> float:
        """The error barrier from which a start counts as unstable."""
        return self.params.section("sgd_noise.threshold", float)

    @property
    def variants(self) -> list[str]:
        """The variants that have rows in a table of this flow."""
        present = {name for table in OWN for name in self.frames[table]["variant"]}
        return [name for name in self.grid if name in present]

    @cached_property
    def only_lends(self) -> set[str]:
        """Variants that are there for the masks they lend: AIMP's shorter searches."""
        forked = self.params.section("sgd_noise.variants", list[str])
        return set(self.frames["crossed"]["variant"]) - set(forked)

    def variants_with(self, table: str) -> list[str]:
        """The variants that have rows in a table. Raises NoData where none has."""
        present = set(self.frames[table]["variant"])
        found = [name for name in self.grid if name in present]
        if not found:
            raise NoData(f"table `{table}` has no rows")
        return found

    def rows_of(self, table: str, variant: str | None = None, **where: Any) -> pd.DataFrame:
        """Rows that have these values; None stands for null. variant: None for all."""
        frame = self.frames[table]
        chosen = where if variant is None else {"variant": variant} | where
        for column, value in chosen.items():
            matches = frame[column].isna() if value is None else frame[column] == value
            frame = frame[matches]
        return frame

    @property
    def starts(self) -> list[str]:
        """Where trainings forked: the rewind point first, then tickets from the densest."""
        names = set(self.rows_of("forks", removed=None)["start"])
        names |= set(self.rows_of("instability", removed=None)["start"])
        return sorted(names, key=lambda name: (name != REWIND, int(name) if name.isdigit() else 0))

    def named(self, start: str) -> str:
        """A start in words: `the rewind point`, `ticket 4 (41% density)`."""
        if start == REWIND:
            return "the rewind point"
        rows = pd.concat(
            [self.rows_of(t, start=start)["density"] for t in ("forks", "instability")]
        )
        return f"ticket {start} ({percent(rows.mean())}% density)"

    @cached_property
    def lines(self) -> dict[str, str]:
        """By variant, what a line stands for where panels are by momentum and batch size.

        The rewind point; epochs and network where they are not those of most variants; the name
        where something else sets two variants of one panel apart.
        """
        settings = {name: self.settings[name] for name in self._shown}
        parts = {name: [setting.rewound] for name, setting in settings.items()}
        for column, form in (("epochs", "{} epochs"), ("model", "{}")):
            values = Counter(getattr(setting, column) for setting in settings.values())
            for name, setting in settings.items():
                if getattr(setting, column) != values.most_common(1)[0][0]:
                    parts[name].append(form.format(getattr(setting, column)))
        labels = {name: ", ".join(words) for name, words in parts.items()}
        places = {n: (labels[n], s.momentum, s.batch_size) for n, s in settings.items()}
        alike = [place for place, count in Counter(places.values()).items() if count > 1]
        for name, place in places.items():
            if place in alike:
                labels[name] = f"{labels[name]}, variant {name}"
        return labels

    @cached_property
    def line_styles(self) -> dict[str, Style]:
        """By what a line stands for, the same in every figure."""
        labels = dict.fromkeys(self.lines.values())
        return variant_styles({label: label[:1].upper() + label[1:] for label in labels})

    @cached_property
    def _shown(self) -> list[str]:
        present = {n for t in (*OWN, "tickets", "predictors") for n in self.frames[t]["variant"]}
        present |= set(self.frames["crossed"]["training"])
        return [name for name in self.grid if name in present]

    def style(self, variant: str) -> Style:
        """The style of the variant's line."""
        return self.line_styles[self.lines[variant]]

    def described(self, variant: str) -> str:
        """A variant in a title: its name and settings."""
        own = self.settings[variant]
        return f"{variant} (μ {own.momentum:g}, batch size {own.batch_size}, {own.rewound})"

    def seeds(self, table: str, variant: str | None = None) -> int:
        """How many seeds the table has."""
        return int(self.rows_of(table, variant)["seed"].nunique())

    def densities(self, variant: str) -> "pd.Series[float]":
        """Density of each ticket by number, mean over seeds."""
        return self.rows_of("tickets", variant).groupby("ticket")["density"].mean()

    @cached_property
    def dataset(self) -> str:
        """The data set of all variants."""
        return next(str(self.frames[t]["dataset"].iloc[0]) for t in OWN if len(self.frames[t]))

    @property
    def setting(self) -> str:
        """For a title: networks and data set."""
        models = dict.fromkeys(self.settings[name].model for name in self.variants)
        return f"{', '.join(models)} on {self.dataset}"
