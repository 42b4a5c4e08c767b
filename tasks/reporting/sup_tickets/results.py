"""What this flow's figures and tables are made from: tables, parameters, the paper's numbers."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.kit.params import Params, overlay
from tasks.reporting.frames import Frames
from tasks.reporting.no_data import NoData
from tasks.reporting.sup_tickets.endings import Endings
from tasks.reporting.sup_tickets.methods import Method, methods
from tasks.reporting.sup_tickets.published import PUBLISHED, Published, read_published
from tasks.reporting.sup_tickets.scores import scores


@dataclass(frozen=True)
class Results:
    """Sparse trainings and their endings. frames: of `rows.without_unconverged`."""

    frames: Frames
    params: Params
    folder: Path = PUBLISHED  # of the paper's numbers

    def section(self, name: str, kind: Any) -> Any:
        """A section of the parameters below `sup_tickets`."""
        return self.params.section(f"sup_tickets.{name}", kind)

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Every method that was trained, by name."""
        training = self.section("training", dict[str, dict[str, Any]])
        return methods({name: training[name] for name in self.section("methods", list[str])})

    @cached_property
    def endings(self) -> Endings:
        """Every ending that some method got."""
        names = [*self.section("endings", list[str]), *self.section("ablations", list[str])]
        given = self.section("ending", dict[str, dict[str, Any]])
        return Endings(given, list(dict.fromkeys(names)))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Of `scores.scores`."""
        return scores(self.frames)

    @property
    def variants(self) -> list[str]:
        """The variants that have rows, in the order of the parameters."""
        return self._with("sup_tickets")

    def variants_with(self, table: str) -> list[str]:
        """The variants that have rows in a table. Raises NoData where none has."""
        found = self._with(table)
        if not found:
            raise NoData(f"table `{table}` has no rows of sparse training")
        return found

    def _with(self, table: str) -> list[str]:
        present = set(self.frames[table]["variant"])
        return [name for name in self.params.section("variants", dict[str, Any]) if name in present]

    def rows_of(self, table: str, variant: str, **where: Any) -> pd.DataFrame:
        """Rows of one variant that have these values; a list of values stands for any of them."""
        frame = self.frames[table]
        for column, value in ({"variant": variant} | where).items():
            chosen = value if isinstance(value, list) else [value]
            frame = frame[frame[column].isin(chosen)]
        return frame

    def trained(self, names: "pd.Series[str]") -> list[Method]:
        """The methods among these names, in the order of the parameters."""
        present = set(names)
        return [method for name, method in self.methods.items() if name in present]

    def seeds(self, variant: str) -> int:
        """How many seeds of the variant were trained."""
        return int(self.rows_of("sup_tickets", variant)["seed"].nunique())

    def model(self, variant: str) -> str:
        """The variant's network."""
        return str(self.rows_of("sup_tickets", variant)["model"].iloc[0])

    @property
    def dataset(self) -> str:
        """The data set of all variants."""
        return str(self.frames["sup_tickets"]["dataset"].iloc[0])

    def setting(self, variant: str) -> str:
        """For a title: network, data set, variant."""
        return f"{self.model(variant)} on {self.dataset}, variant {variant}"

    def epochs(self, variant: str) -> int:
        """Epochs of a whole training."""
        over = self.params.section("variants", dict[str, Any])[variant]
        train = self.params.section("train", dict[str, Any])
        return int(overlay({"train": train}, over)["train"]["epochs"])

    @property
    def start(self) -> int:
        """The epoch at which endings part."""
        return int(self.section("start", int))

    def published(self, variant: str) -> Published:
        """The paper's numbers of this variant's data set, network and epochs."""
        model, epochs = self.model(variant), self.epochs(variant)
        return read_published(self.dataset, model, epochs, self.folder)
