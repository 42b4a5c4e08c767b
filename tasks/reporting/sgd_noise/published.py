"""The numbers that the SGD-noise paper prints: `presets/published/sgd_noise*.csv`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting.published import at_density, read_csv
from tasks.reporting.sgd_noise.settings import Setting

# Part of this code's fingerprint (`tasks.kit.code`).
READS = (
    "presets/published/sgd_noise.csv",
    "presets/published/sgd_noise_forgetting.csv",
    "presets/published/sgd_noise_crossed.csv",
    "presets/published/sgd_noise_probes.csv",
    "presets/published/sgd_noise_transfer.csv",
    "presets/published/sgd_noise_few_shot.csv",
    "presets/published/sgd_noise_rewind.csv",
)
PUBLISHED = Path(READS[0]).parent

_SETTING = ("source", "dataset", "model", "momentum", "batch_size", "pretraining")
_OPEN = ("pretraining", "momentum", "batch_size")
_NETWORK = ("network", "density")
_SCORE = ("accuracy", "std")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "accuracy": ("density", *_SCORE, "winning", "starred"),
    "forgetting": (
        *("events", "events_std", "unforgettable", "unforgettable_std"),
        *("convergence", "convergence_std"),
    ),
    "crossed": (
        *("epochs", "training_momentum", "training_batch_size", "density", "accuracy", "starred"),
    ),
    "probes": (*_NETWORK, "block", *_SCORE),
    "transfer": (*_NETWORK, "target", *_SCORE),
    "few_shot": (*_NETWORK, "percent", "selection", *_SCORE),
    "rewind": ("epoch", "std"),
}

# How the paper trains (section 3.3 and appendix G): epochs, and the cosine schedule's highest rate.
EPOCHS = 200
_RATES = {"tiny-imagenet": 0.2}
_RATE = 0.1


@dataclass(frozen=True)
class Published:
    """The paper's numbers of one data set, as `presets/published` has them; fractions.

    tables: by kind: accuracy, forgetting, crossed, probes, transfer, few_shot, rewind.
    """

    dataset: str
    tables: dict[str, pd.DataFrame]

    def at(self, kind: str, setting: Setting, **where: Any) -> pd.DataFrame:
        """Rows of a kind whose setting is this one; none where the training is not the paper's.

        A row that names no momentum, batch size or pretraining (`unnamed`) goes with any. where:
        further columns; density within rounding.
        """
        rows = self.tables[kind]
        if not trained_alike(self.dataset, setting):
            return rows.iloc[:0]
        rows = rows[(rows["dataset"] == self.dataset) & (rows["model"] == setting.model)]
        for column, own in (
            ("momentum", setting.momentum),
            ("batch_size", setting.batch_size),
            ("pretraining", setting.rewind),
        ):
            rows = rows[(rows[column] == own) | rows[column].isna()]
        for column, value in where.items():
            exact = column != "density"
            rows = rows[rows[column] == value] if exact else at_density(rows, value)
        return rows


def unnamed(row: "pd.Series[Any]") -> list[str]:
    """What the paper leaves open of a row's setting."""
    return [name.replace("_", " ") for name in _OPEN if pd.isna(row[name])]


def trained_alike(dataset: str, setting: Setting, epochs: int = EPOCHS) -> bool:
    """Whether a training is the paper's in its schedule and length."""
    return (
        setting.schedule == "cosine"
        and setting.lr == _RATES.get(dataset, _RATE)
        and setting.epochs == epochs
    )


def read_published(dataset: str, folder: Path = PUBLISHED) -> Published:
    """Raises InputError for a file that is missing or has other columns."""
    names = [Path(name).name for name in READS]
    tables = {
        kind: read_csv(folder / name, (*_SETTING, *columns))
        for name, (kind, columns) in zip(names, _COLUMNS.items(), strict=True)
    }
    return Published(dataset, tables)
