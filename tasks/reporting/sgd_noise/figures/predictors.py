"""What tells beforehand how much a ticket will gain by pooling: its error barrier, or how much it
disagrees with its neighbours."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tasks.reporting.sgd_noise.correlations import (
    Correlation,
    bootstrap,
    correlations,
    leading_method,
)
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import empty_figure, legend_entry, percent

_MARKERS = "os^DvPX*<>"
_PANELS = {
    "barrier": "Mean error barrier to its neighbours,\nheld-out images (points)",
    "disagreement": "Mean disagreement with its neighbours,\ntest images (%)",
}


def predictors(results: Results) -> dict[str, Figure]:
    """Pooling gain of each ticket against its barrier and against its disagreement."""
    method = leading_method(results.frames, results.params)
    rows = results.rows_of("predictors", method=method)
    variants = [name for name in results.pooled if name in set(rows["variant"])]
    by_variant = dict(zip(variants, _MARKERS * len(variants), strict=False))
    marked = len(variants) <= len(_MARKERS)
    figure = empty_figure(
        4.9,
        f"What tells the gain of pooling ({method}): {results.setting}",
        f"one mark for each ticket and seed; in brackets: {bootstrap(results.seeds('predictors'))}",
    )
    axes = figure.subplots(1, 2, sharey=True)
    densities = sorted(set(rows["density"].round(6)))
    low, high = 100 * densities[0], 100 * densities[-1]
    scale = ScalarMappable(LogNorm(min(low, 0.99 * high), high), "viridis")
    found = {c.predictor: c for c in correlations(results.frames, method)}
    for axis, (column, label) in zip(axes, _PANELS.items(), strict=True):
        finite = rows.dropna(subset=[column, "gain"])
        for variant in variants:
            own = finite[finite["variant"] == variant]
            axis.scatter(
                100 * own[column],
                100 * own["gain"],
                c=100 * own["density"],
                cmap=scale.get_cmap(),
                norm=scale.norm,
                marker=by_variant[variant] if marked else "o",
                s=26,
                linewidths=0.4,
                edgecolors="0.2",
            )
        _finish(axis, label, found[column])
    axes[0].set_ylabel("Gain of pooling on test images (points)")
    bar = figure.colorbar(scale, ax=list(axes))
    shown = np.linspace(0, len(densities) - 1, min(len(densities), 6)).round().astype(int)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_locator(FixedLocator([100 * densities[k] for k in shown]))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value / 100)))
    bar.set_label("Density (%)")
    if marked and len(variants) > 1:
        entries = [legend_entry(n, "0.3", by_variant[n]) for n in variants]
        figure.legend(handles=entries, loc="outside lower center", ncols=4, frameon=False)
    return {"sgd-predictors": figure}


def _finish(axis: Axes, label: str, found: Correlation) -> None:
    axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axis.set_xlabel(label)
    axis.set_title(found.in_short, fontsize=9)
    axis.grid(color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)
