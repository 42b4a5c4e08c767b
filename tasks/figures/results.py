"""What the figures and the page are made from: the tables, the parameters, the paper's numbers."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.params import Params, overlay
from tasks.published import Published
from tasks.summary import Frames


class NoData(ValueError):
    """A figure has nothing to show; the message is a line for the reader that says why."""


@dataclass(frozen=True)
class Results:
    """An experiment, finished. frames: every table of `lp_core.tables` by name."""

    frames: Frames
    params: Params
    published: Published

    @property
    def variants(self) -> list[str]:
        """Those of the grid that have tickets, in the grid's order."""
        return self._there(self.params.section("grid", list[str]), "tickets", "variant")

    @property
    def pooled(self) -> list[str]:
        """Those variants that were pooled."""
        return self._there(self.params.section("grid", list[str]), "pools", "variant")

    @property
    def methods(self) -> list[str]:
        """All methods that were run."""
        return self._there(self.params.section("pools", list[str]), "pools", "method")

    @property
    def main(self) -> list[str]:
        """The methods that are also evaluated on corrupted images: the legend's order."""
        return self._there(self.params.section("ood", list[str]), "pools", "method")

    def _there(self, names: list[str], table: str, column: str) -> list[str]:
        found = set(self.frames[table][column])
        return [name for name in names if name in found]

    def of(self, table: str, variant: str, **where: Any) -> pd.DataFrame:
        """Rows of one variant, in the table's order. Raises NoData where there are none."""
        frame = self.frames[table]
        for column, value in ({"variant": variant} | where).items():
            frame = frame[frame[column] == value]
        if frame.empty:
            which = "".join(f", {column} {value}" for column, value in where.items())
            raise NoData(f"table `{table}` has no rows of variant {variant}{which}")
        return frame

    def densities(self, variant: str) -> "pd.Series[float]":
        """Density of each ticket by number, mean over seeds."""
        return self.of("tickets", variant).groupby("ticket")["density"].mean()

    def seeds(self, variant: str, table: str = "tickets") -> int:
        """How many seeds of the variant the table has."""
        return int(self.of(table, variant)["seed"].nunique())

    def model(self, variant: str) -> str:
        return str(self.of("tickets", variant)["model"].iloc[0])

    @property
    def dataset(self) -> str:
        return str(self.frames["tickets"]["dataset"].iloc[0])

    def setting(self, variant: str) -> str:
        """For a title: model, data set, variant."""
        return f"{self.model(variant)} on {self.dataset}, variant {variant}"

    def rewound_to(self, variant: str) -> int:
        """Epoch of the variant's rewind point; 0 is without rewinding."""
        raw = overlay(self.params.raw, self.params.raw["variants"][variant])
        return int(raw["rewind"]["epochs"])

    def described(self, variant: str) -> str:
        """For a legend: the variant, and what it rewinds to."""
        epoch = self.rewound_to(variant)
        return f"{variant} (rewound to epoch {epoch})" if epoch else f"{variant} (no rewinding)"

    def paper(self, variant: str) -> pd.DataFrame:
        """The paper's table of this variant's data set and model; empty where it has none.

        The paper's tickets are rewound: nothing of it belongs beside a variant that is not.
        """
        rows = self.published.of(self.dataset, self.model(variant))
        return rows if self.rewound_to(variant) else rows.iloc[:0]


def spread(frame: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    """Mean and standard deviation over seeds (NaN with one), columns keys, density, mean, std.

    A key's density is the mean of its seeds'. Seeds without a number (NaN) are left out.
    """
    return (
        frame.groupby(keys, sort=False)
        .agg(density=("density", "mean"), mean=(value, "mean"), std=(value, "std"))
        .reset_index()
    )
