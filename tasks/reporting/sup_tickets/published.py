"""The numbers that the Sup-tickets paper prints: `presets/published/sup_tickets*.csv`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting.published import at_density, read_csv

# Part of this code's fingerprint (`tasks.kit.code`).
READS = (
    "presets/published/sup_tickets.csv",
    "presets/published/sup_tickets_diversity.csv",
)
PUBLISHED = Path(READS[0]).parent
_SETTING = ("source", "dataset", "model")
_RESULTS = (
    *_SETTING,
    *("method", "sup", "cycle", "schedule", "density", "accuracy", "std"),
    *("train_fraction", "test_fraction"),
)
_DIVERSITY = (*_SETTING, "kind", "method", "disagreement", "kl")


# How the paper trains: epochs of a whole training, those of all cycles together (section 4.1: 3
# cheap tickets of 8 epochs, 4 of 2 on ImageNet), and the rates of a cycle (section 3.2.1).
_CIFAR = {"epochs": 250, "superposing": 24, "lr1": 0.001, "lr2": 0.005}
_IMAGENET = {"epochs": 100, "superposing": 8, "lr1": 0.0001, "lr2": 0.0005}


@dataclass(frozen=True)
class Published:
    """The paper's numbers of one data set and network; empty where it does not have them.

    results: one row for each method (by its recipe), density, and ending; fractions. cycle in
    epochs and schedule where sup. diversity: kinds as in the table of that name.
    """

    results: pd.DataFrame
    diversity: pd.DataFrame
    training: Mapping[str, float]

    def at(self, recipe: str, density: float, ending: Mapping[str, Any]) -> pd.DataFrame:
        """The number of a method at a density with this ending: one row, or none where the paper
        has no such method, density or ending. ending: all its settings."""
        rows = self.results
        if not ending["tickets"]:
            rows = rows[~rows["sup"]]
        elif self._as_published(ending):
            rows = rows[rows["sup"] & (rows["cycle"] == ending["cycle"])]
            rows = rows[rows["schedule"] == ending["schedule"]]
        else:
            rows = rows.iloc[:0]
        return at_density(rows[rows["method"] == recipe], density)

    def _as_published(self, ending: Mapping[str, Any]) -> bool:
        """Whether an ending is the paper's in all but the cycle and the schedule, which vary."""
        return (
            ending["tickets"] == self.training["superposing"] // ending["cycle"]
            and (ending["lr1"], ending["lr2"]) == (self.training["lr1"], self.training["lr2"])
            and (ending["average"], ending["prune_rate"], ending["batch_norm"])
            == ("cia", 0.5, "average")
        )


def read_published(dataset: str, model: str, epochs: int, folder: Path = PUBLISHED) -> Published:
    """The numbers of one setting; none if a training has another number of epochs than the paper's.

    Raises InputError for a file that is missing or has other columns.
    """
    training = _IMAGENET if dataset == "imagenet" else _CIFAR

    def rows(name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        frame = read_csv(folder / name, columns)
        frame = frame[(frame["dataset"] == dataset) & (frame["model"] == model)]
        return frame if epochs == training["epochs"] else frame.iloc[:0]

    return Published(
        rows("sup_tickets.csv", _RESULTS),
        rows("sup_tickets_diversity.csv", _DIVERSITY),
        training,
    )
