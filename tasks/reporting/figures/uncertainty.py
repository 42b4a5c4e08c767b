"""How far confidence can be trusted: calibration error and likelihood against density."""

import pandas as pd
from matplotlib.figure import Figure

from tasks.reporting.figures.results import Results, spread
from tasks.reporting.figures.style import PLACES, bars, blank, density_axis, legend, lines, styles

_KEYS = ["method", "place", "ticket", "seed", "density"]
_SCORES = {"ece": ("Calibration error (points)", 100), "nll": ("NLL (nats)", 1)}


def uncertainty(results: Results) -> dict[str, Figure]:
    """Rows: calibration error, negative log-likelihood. Columns: test and corrupted images. One
    figure per variant."""
    drawn = styles(["ticket", *results.main])
    figures = {}
    for variant in results.having("pools"):
        scores = _scores(results, variant)
        title = f"Uncertainty: {results.setting(variant)}"
        figure = blank(7, title, bars(results.seeds(variant)))
        axes = figure.subplots(2, 2, sharex=True)
        for down, (score, (label, scale)) in enumerate(_SCORES.items()):
            for across, place in enumerate(PLACES):
                axis = axes[down][across]
                rows = spread(scores[scores["place"] == place], ["method", "ticket"], score)
                lines(axis, rows, drawn, "method", scale)
                densities = list(results.densities(variant))
                density_axis(axis, densities, *([""] if down == 0 else []))
                axis.set_ylabel(label)
                axis.set_title(PLACES[place].capitalize(), fontsize=10)
        legend(figure, axes[0][0])
        figures[f"uncertainty-{variant}"] = figure
    return figures


def _scores(results: Results, variant: str) -> pd.DataFrame:
    parts = [
        results.of("tickets", variant, split="test").assign(method="ticket", place="test"),
        results.of("pools", variant, split="test").assign(place="test"),
        results.of("ood", variant).assign(place="corrupted"),
    ]
    both = pd.concat([part[[*_KEYS, *_SCORES]] for part in parts])
    # Of a seed, the mean over corruptions and severities.
    return both.groupby(_KEYS, sort=False, as_index=False)[list(_SCORES)].mean()
