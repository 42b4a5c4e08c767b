"""Reading files of published numbers, and finding one among them."""

from pathlib import Path

import pandas as pd

from lp_core.errors import InputError


def read_csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A file of `presets/published`. Raises InputError if it is missing or has other columns."""
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
