"""How far confidence can be trusted: calibration error and likelihood against density."""

import pandas as pd
from matplotlib.figure import Figure

from tasks.reporting.imp_pool.results import Results, mean_and_std
from tasks.reporting.style import (
    IMAGES,
    add_legend,
    density_axis,
    draw_lines,
    empty_figure,
    error_bar_note,
    styles,
)

_KEYS = ["method", "images", "ticket", "seed", "density"]
_SCORES = {"ece": ("Calibration error (points)", 100), "nll": ("NLL (nats)", 1)}


def uncertainty(results: Results) -> dict[str, Figure]:
    """Rows: calibration error, negative log-likelihood. Columns: test and corrupted images. One
    figure per variant."""
    drawn = styles(["ticket", *results.headline_methods])
    figures = {}
    for variant in results.variants_with("pools"):
        scores = _scores(results, variant)
        title = f"Uncertainty: {results.setting(variant)}"
        figure = empty_figure(7, title, error_bar_note(results.seeds(variant)))
        axes = figure.subplots(2, 2, sharex=True)
        for down, (score, (label, scale)) in enumerate(_SCORES.items()):
            for across, (images, name) in enumerate(IMAGES.items()):
                axis = axes[down][across]
                rows = mean_and_std(scores[scores["images"] == images], ["method", "ticket"], score)
                draw_lines(axis, rows, drawn, "method", scale)
                densities = list(results.densities(variant))
                density_axis(axis, densities, *([""] if down == 0 else []))
                axis.set_ylabel(label)
                axis.set_title(name.capitalize(), fontsize=10)
        add_legend(figure, axes[0][0])
        figures[f"uncertainty-{variant}"] = figure
    return figures


def _scores(results: Results, variant: str) -> pd.DataFrame:
    parts = [
        results.rows_of("tickets", variant, split="test").assign(method="ticket", images="test"),
        results.rows_of("pools", variant, split="test").assign(images="test"),
        results.rows_of("ood", variant).assign(images="corrupted"),
    ]
    both = pd.concat([part[[*_KEYS, *_SCORES]] for part in parts])
    # One number for each seed: on corrupted images, the mean over corruptions and severities.
    return both.groupby(_KEYS, sort=False, as_index=False)[list(_SCORES)].mean()
