"""What the figures and the page are made from: the tables, the parameters, the paper's numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.kit.params import Params, overlay
from tasks.reporting.frames import Frames
from tasks.reporting.imp_pool.published import Published
from tasks.reporting.no_data import NoData

_NAMED = 5  # variants that a title names, at most


@dataclass(frozen=True)
class Results:
    """An experiment, finished. frames: every table of `lp_core.tables` by name."""

    frames: Frames
    params: Params
    published: Published

    @property
    def variants(self) -> list[str]:
        """The variants that have tickets."""
        return self.variants_with("tickets")

    @property
    def pooled(self) -> list[str]:
        """The variants that have pooled tickets; empty where none has."""
        return self._variants_with("pools")

    @property
    def methods(self) -> list[str]:
        """All methods."""
        return self.params.section("pooling.methods", list[str])

    @property
    def recipes(self) -> dict[str, dict[str, Any]]:
        """Each method's recipe and settings, as the params give them; in the order of methods."""
        section = self.params.section("pooling.recipes", dict[str, dict[str, Any]])
        return {method: section[method] for method in self.methods}

    @property
    def headline_methods(self) -> list[str]:
        """The methods that are also evaluated on corrupted images, in the order of legends.

        The report's first sentences, and figures of a single method, show the first of them.
        """
        return self.params.section("pooling.corrupted", list[str])

    def variants_with(self, table: str) -> list[str]:
        """The variants that have rows in a table, in the grid's order, imported ones behind.

        Raises NoData where none has: nothing was pooled, or no ticket converged.
        """
        variants = self._variants_with(table)
        if not variants:
            raise NoData(f"no variant has rows in table `{table}`")
        return variants

    def _variants_with(self, table: str) -> list[str]:
        present = set(self.frames[table]["variant"])
        listed = [*self.params.section("grid", list[str]), *self.imported]
        return [name for name in listed if name in present]

    @property
    def imported(self) -> list[str]:
        """The variants whose tickets were trained elsewhere: nobody here knows how."""
        return list(self.params.section("imports", dict[str, Any]))

    def rows_of(self, table: str, variant: str, **where: Any) -> pd.DataFrame:
        """Rows of one variant, in the table's order. Raises NoData where there are none.

        where: a value for each further column that the rows must have.
        """
        frame = self.frames[table]
        for column, value in ({"variant": variant} | where).items():
            frame = frame[frame[column] == value]
        if frame.empty:
            conditions = "".join(f", {column} {value}" for column, value in where.items())
            raise NoData(f"table `{table}` has no rows of variant {variant}{conditions}")
        return frame

    @property
    def tickets(self) -> list[int]:
        """Numbers of the tickets that any variant has: the cells of a matrix, in every panel."""
        return sorted(set(self.frames["tickets"]["ticket"]))

    def densities(self, variant: str) -> "pd.Series[float]":
        """Density of each ticket by number, mean over seeds."""
        return self.rows_of("tickets", variant).groupby("ticket")["density"].mean()

    def seeds(self, variant: str, table: str = "tickets") -> int:
        """How many seeds of the variant the table has."""
        return int(self.rows_of(table, variant)["seed"].nunique())

    def model(self, variant: str) -> str:
        """The variant's network."""
        return str(self.rows_of("tickets", variant)["model"].iloc[0])

    def models(self, variants: Iterable[str]) -> str:
        """The networks of several variants, each once: `resnet8, resnet20`."""
        return ", ".join(dict.fromkeys(self.model(variant) for variant in variants))

    @property
    def dataset(self) -> str:
        """The data set of all variants."""
        return str(self.frames["tickets"]["dataset"].iloc[0])

    def setting(self, *variants: str) -> str:
        """For a title: networks, data set, variants; of many variants, how many."""
        names = f"variant{'s' if len(variants) > 1 else ''} {', '.join(variants)}"
        if len(variants) > _NAMED:
            names = f"{len(variants)} variants"
        return f"{self.models(variants)} on {self.dataset}, {names}"

    def params_of(self, variant: str) -> dict[str, Any]:
        """The params file as a variant sees it."""
        return overlay(self.params.raw, self.params.raw["variants"][variant])

    def rewound_to(self, variant: str) -> int:
        """Epoch of the variant's rewind point; 0 is without rewinding.

        Where a search finds it, the mean over seeds, rounded.
        """
        rewind = self.params_of(variant)["rewind"]
        if rewind.get("mode") == "stable":
            return round(self.rows_of("stable_rewind", variant)["epoch"].mean())
        return int(rewind["epochs"])

    def described(self, variant: str) -> str:
        """For a legend: the variant, its network if not all have the same, and its rewinding."""
        model = self.model(variant)
        if variant in self.imported:
            properties = ["imported"]
        else:
            epoch = self.rewound_to(variant)
            properties = [f"rewound to epoch {epoch}" if epoch else "no rewinding"]
        if model != self.models(self.variants):
            properties.insert(0, model)
        return f"{variant} ({', '.join(properties)})"

    def published_rows(self, variant: str) -> pd.DataFrame:
        """The paper's table of this variant's data set and model; empty where it has none.

        The paper's tickets are rewound, so a variant without rewinding is compared with nothing,
        nor is an imported one, of which that is not known.
        """
        rows = self.published.rows_of(self.dataset, self.model(variant))
        rewound = variant not in self.imported and self.rewound_to(variant)
        return rows if rewound else rows.iloc[:0]


def mean_and_std(frame: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    """Mean and standard deviation over seeds (NaN with one), columns keys, density, mean, std.

    A key's density is the mean of its seeds'. Seeds without a number (NaN) are left out.
    """
    return (
        frame.groupby(keys, sort=False)
        .agg(density=("density", "mean"), mean=(value, "mean"), std=(value, "std"))
        .reset_index()
    )
