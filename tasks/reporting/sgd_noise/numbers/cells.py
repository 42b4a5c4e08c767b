"""How this flow's tables write their numbers, and the cells that name a variant."""

import pandas as pd

from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import points

SETTING = ["Variant", "μ", "Batch size", "Rewound to"]


def setting_cells(results: Results, variant: str) -> list[str]:
    """The cells below `SETTING`."""
    own = results.settings[variant]
    rewound = "stable" if own.rewind is None else str(own.rewind)
    return [variant, f"{own.momentum:g}", str(own.batch_size), rewound]


def spread(values: "pd.Series[float]", scale: float = 100, digits: int = 2) -> str:
    """Mean ± standard deviation; the mean alone where there is one value, a dash with none."""
    return written(scale * values.mean(), scale * values.std(), digits)


def written(mean: float, std: float = float("nan"), digits: int = 2) -> str:
    """A number that is scaled already, ± its deviation unless that is NaN."""
    if mean != mean:
        return "–"
    text = f"{mean:.{digits}f}".replace("-", "−")
    return text if std != std else f"{text} ± {std:.{digits}f}"


def change(values: "pd.Series[float]") -> str:
    """Mean change in points ± its deviation, with a sign."""
    if values.empty:
        return "–"
    std = values.std()
    return points(values.mean()) if std != std else f"{points(values.mean())} ± {100 * std:.2f}"


def over(seeds: int) -> str:
    """For a title."""
    return f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ", one seed"
