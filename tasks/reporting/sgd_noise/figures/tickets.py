"""Tickets of all variants: their accuracy (Figures 13–16) and the barriers between neighbours
(Figures 2 and 10–12)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures.facets import draw_threshold, facet_figure, threshold_entry
from tasks.reporting.sgd_noise.measures import accuracies
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import Style, density_axis, error_bar_note, legend_entry

DENSITY = "Density (% of prunable weights kept, log scale)"


def accuracy(results: Results) -> dict[str, Figure]:
    """Test accuracy of every variant's tickets; winning and failed ones marked."""
    rows = accuracies(results.frames)
    variants = [name for name in results.grid if name in set(rows["variant"])]
    if not variants:
        raise NoData("table `tickets` has no rows")

    def draw(axis: Axes, variant: str, style: Style) -> None:
        line = rows[rows["variant"] == variant].sort_values("density", ascending=False)
        _draw_line(axis, line, style)
        for _, ticket in line.iterrows():
            x, y = 100 * ticket["density"], 100 * ticket["mean"]
            if ticket["failed"]:
                axis.plot([x], [y], "*", color=style.colour, markersize=10, zorder=4)
            if ticket["winning"]:
                axis.plot([x], [y], "o", mfc="none", color=style.colour, markersize=10, zorder=4)
        dense = line[line["ticket"] == 0]["mean"]
        if len(dense):
            axis.axhline(100 * dense.iloc[0], color=style.colour, linewidth=0.9, linestyle=":")

    figure = facet_figure(
        results,
        variants,
        f"Accuracy of tickets by setting: {results.setting}",
        error_bar_note(results.seeds("tickets")),
        (DENSITY, "Test accuracy (%)"),
        draw,
        finish=lambda axis: _densities(axis, list(rows["density"])),
        legend=(
            legend_entry("The dense network", line=":"),
            legend_entry("Winning ticket", marker="o", hollow=True, size=9),
            legend_entry("Not every seed converged", marker="*", size=9),
        ),
    )
    return {"sgd-accuracy": figure}


def neighbours(results: Results) -> dict[str, Figure]:
    """Error barrier between consecutive tickets of every variant."""
    rows = results.rows_of("barriers", split="test").dropna(subset="error_barrier")
    variants = [name for name in results.grid if name in set(rows["variant"])]
    if not variants:
        raise NoData("table `barriers` has no rows of tickets that converged")

    sparser: list[float] = []
    for name in variants:
        named = rows[rows["variant"] == name]["ticket_b"]
        sparser += list(named.map(results.densities(name)).dropna().unique())

    def draw(axis: Axes, variant: str, style: Style) -> None:
        own = rows[rows["variant"] == variant]
        heights = own.groupby("ticket_b")["error_barrier"].agg(["mean", "std"]).reset_index()
        heights["density"] = heights["ticket_b"].map(results.densities(variant))
        _draw_line(axis, heights.sort_values("density", ascending=False), style)

    def finish(axis: Axes) -> None:
        draw_threshold(axis, results.threshold)
        _densities(axis, sparser)

    figure = facet_figure(
        results,
        variants,
        f"Error barrier between consecutive tickets: {results.setting}",
        error_bar_note(int(rows["seed"].nunique())),
        (f"{DENSITY} of the sparser ticket".replace(", log scale)", ")"), "Barrier (points)"),
        draw,
        finish=finish,
        legend=(threshold_entry(results.threshold),),
    )
    return {"sgd-neighbours": figure}


def _draw_line(axis: Axes, line: pd.DataFrame, style: Style) -> None:
    """rows with density, mean and std, from the densest."""
    std = line["std"]
    axis.errorbar(
        100 * line["density"],
        100 * line["mean"],
        yerr=None if std.isna().all() else 100 * std.fillna(0),
        color=style.colour,
        marker=style.marker,
        markersize=3.5,
        linewidth=1.3,
        elinewidth=0.8,
        capsize=1.5,
    )


def _densities(axis: Axes, densities: Sequence[float]) -> None:
    density_axis(axis, densities, "")
    thin_ticks(axis)


def thin_ticks(axis: Axes) -> None:
    """Leave as many ticks of a density axis as a panel among others in its row has room for."""
    place = axis.get_subplotspec()
    columns = place.get_gridspec().ncols if place else 1
    ticks = axis.get_xticks()
    most = max(3, 7 - columns)
    shown = np.linspace(0, len(ticks) - 1, min(len(ticks), most)).round().astype(int)
    axis.set_xticks(ticks[shown])
