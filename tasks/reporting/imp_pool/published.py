"""The numbers that the Lottery Pools paper prints: `presets/published/`."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tasks.reporting.published import read_csv

# Part of this code's fingerprint (`tasks.kit.code`).
READS = ("presets/published/results.csv", "presets/published/claims.csv")
PUBLISHED = Path(READS[0]).parent
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
    return Published(
        read_csv(folder / "results.csv", RESULTS), read_csv(folder / "claims.csv", CLAIMS)
    )
