"""What the figures and the page are made from: the tables, the parameters, the paper's numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.kit.params import Params, overlay
from tasks.reporting.published import Published
from tasks.reporting.summary import Frames


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
        """The variants that have tickets."""
        return self.having("tickets")

    @property
    def pooled(self) -> list[str]:
        """The variants that have pooled tickets; empty where none has."""
        return self._having("pools")

    @property
    def methods(self) -> list[str]:
        """All methods."""
        return self.params.section("pools", list[str])

    @property
    def main(self) -> list[str]:
        """The methods that are also evaluated on corrupted images: the legend's order."""
        return self.params.section("ood", list[str])

    def having(self, table: str) -> list[str]:
        """The variants that have rows in a table, in the grid's order.

        Raises NoData where none has: nothing was pooled, or no ticket of it converged.
        """
        found = self._having(table)
        if not found:
            raise NoData(f"no variant has rows in table `{table}`")
        return found

    def _having(self, table: str) -> list[str]:
        found = set(self.frames[table]["variant"])
        return [name for name in self.params.section("grid", list[str]) if name in found]

    def of(self, table: str, variant: str, **where: Any) -> pd.DataFrame:
        """Rows of one variant, in the table's order. Raises NoData where there are none."""
        frame = self.frames[table]
        for column, value in ({"variant": variant} | where).items():
            frame = frame[frame[column] == value]
        if frame.empty:
            which = "".join(f", {column} {value}" for column, value in where.items())
            raise NoData(f"table `{table}` has no rows of variant {variant}{which}")
        return frame

    @property
    def tickets(self) -> list[int]:
        """Numbers of the tickets that any variant has: the cells of a matrix, in every panel."""
        return sorted(set(self.frames["tickets"]["ticket"]))

    def densities(self, variant: str) -> "pd.Series[float]":
        """Density of each ticket by number, mean over seeds."""
        return self.of("tickets", variant).groupby("ticket")["density"].mean()

    def seeds(self, variant: str, table: str = "tickets") -> int:
        """How many seeds of the variant the table has."""
        return int(self.of(table, variant)["seed"].nunique())

    def model(self, variant: str) -> str:
        return str(self.of("tickets", variant)["model"].iloc[0])

    def models(self, variants: Iterable[str]) -> str:
        """The networks of several variants, each once: `resnet8, resnet20`."""
        return ", ".join(dict.fromkeys(self.model(variant) for variant in variants))

    @property
    def dataset(self) -> str:
        return str(self.frames["tickets"]["dataset"].iloc[0])

    def setting(self, *variants: str) -> str:
        """For a title: networks, data set, variants."""
        names = f"variant{'s' if len(variants) > 1 else ''} {', '.join(variants)}"
        return f"{self.models(variants)} on {self.dataset}, {names}"

    def raw(self, variant: str) -> dict[str, Any]:
        """The params file as a variant sees it."""
        return overlay(self.params.raw, self.params.raw["variants"][variant])

    def rewound_to(self, variant: str) -> int:
        """Epoch of the variant's rewind point; 0 is without rewinding."""
        return int(self.raw(variant)["rewind"]["epochs"])

    def described(self, variant: str) -> str:
        """For a legend: the variant, its network if not all have the same, and its rewinding."""
        epoch, model = self.rewound_to(variant), self.model(variant)
        what = f"rewound to epoch {epoch}" if epoch else "no rewinding"
        if model != self.models(self.variants):
            what = f"{model}, {what}"
        return f"{variant} ({what})"

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
