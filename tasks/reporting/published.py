"""The numbers that the Lottery Pools paper prints: `presets/published/*.csv`."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lp_core.errors import InputError

READS = ("presets/published",)  # part of this code's fingerprint (`tasks.kit.code`)
PUBLISHED = Path(READS[0])
RESULTS = ("source", "dataset", "model", "method", "density", "accuracy", "std")
CLAIMS = ("source", "dataset", "model", "claim", "density", "value", "images", "ticket_kind")


@dataclass(frozen=True)
class Published:
    """The paper's tables and the gains that its text states.

    results: one row per setting, method and density; fractions; std is empty for a single run.
    claims: value in points; images `test` or `corrupted`; ticket_kind `dense` or `sparse`; density
    where the text names one.
    """

    results: pd.DataFrame
    claims: pd.DataFrame

    def rows_of(self, dataset: str, model: str) -> pd.DataFrame:
        """The results of one setting, densest first; empty if the paper does not have it."""
        rows = self.results
        rows = rows[(rows["dataset"] == dataset) & (rows["model"] == model)]
        return rows.sort_values("density", ascending=False, kind="stable")


def read_published(folder: Path = PUBLISHED) -> Published:
    """Raises InputError for a file that is missing or has other columns."""
    return Published(_read(folder / "results.csv", RESULTS), _read(folder / "claims.csv", CLAIMS))


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found; it belongs to the project, restore it") from None
    if set(frame.columns) != set(columns):
        raise InputError(f"{path}: columns are {list(frame.columns)}; give {', '.join(columns)}")
    return frame


def at_density(rows: pd.DataFrame, density: float) -> pd.DataFrame:
    """The rows whose density is `density` but for rounding (within 2% of it)."""
    return rows[(rows["density"] / density - 1).abs() < 0.02]
