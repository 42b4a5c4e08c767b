"""The straight lines between neighbouring tickets and their barriers (Figure 2)."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.imp_pool.results import Results, mean_and_std
from tasks.reporting.style import (
    Style,
    add_legend,
    density_axis,
    draw_lines,
    empty_figure,
    error_bar_note,
    flattest,
    variant_styles,
)

STABLE = 0.02  # error barrier below which a network counts as stable to SGD noise


def interpolation(results: Results) -> dict[str, Figure]:
    """Test error and loss along all paths, end to end from the dense ticket to the sparsest."""
    variants = results.variants_with("interpolation")
    drawn = _styles(results, variants)
    seeds = max(results.seeds(v, "interpolation") for v in variants)
    title = f"Straight lines between neighbouring tickets: {results.setting(*variants)}"
    errors, losses = (
        {v: _path(results, v, column) for v in variants} for column in ("error", "loss")
    )
    panels = [("Test error (%)", errors, 100), ("Test loss (nats)", losses, 1)]
    reach = {v: (float(p["mean"].min()), float(p["mean"].max())) for v, p in errors.items()}
    flat = flattest(reach, share=0.5)
    if flat:  # beside high hills a low one cannot be seen
        panels.insert(1, (f"Test error (%), {flat} enlarged", errors, 100))
    figure = empty_figure(1.2 + 2.6 * len(panels), title, error_bar_note(seeds, "bands"))
    axes = list(figure.subplots(len(panels), 1, sharex=True))
    for axis, (label, paths, scale) in zip(axes, panels, strict=True):
        for variant, style in drawn.items():
            _draw(axis, paths[variant], style, scale)
        axis.set_ylabel(label)
        density_axis(axis, [d for v in variants for d in results.densities(v)], "")
    if flat:
        low, high = (100 * value for value in reach[flat])
        axes[1].set_ylim(low - (high - low) / 5, high + (high - low) / 2)
    axes[-1].set_xlabel(
        "Density (% of prunable weights kept, log scale); markers: tickets; between them α runs"
        " from 1 (the denser) to 0"
    )
    add_legend(figure, axes[0])
    return {"interpolation": figure}


def _path(results: Results, variant: str, column: str) -> pd.DataFrame:
    """All paths of a variant, from the densest end. Columns density, mean, std, alpha and the pair.

    Where a ticket did not converge, a row without numbers breaks the line.
    """
    rows = results.rows_of("interpolation", variant, split="test")
    known = results.densities(variant)
    # Where alpha runs from 1 to 0, the logarithm of the density runs from a's to b's.
    a, b = rows["ticket_a"].map(known), rows["ticket_b"].map(known)
    rows = rows.assign(density=a ** rows["alpha"] * b ** (1 - rows["alpha"]))
    means = mean_and_std(rows, ["ticket_a", "ticket_b", "alpha"], column)
    pairs = pd.DataFrame(pairwise(known.index), columns=["ticket_a", "ticket_b"])
    paths = pairs.merge(means, how="left")
    return paths.sort_values(["ticket_a", "alpha"], ascending=[True, False])


def _draw(axis: Axes, path: pd.DataFrame, style: Style, scale: float) -> None:
    x, y, std = 100 * path["density"], scale * path["mean"], scale * path["std"].fillna(0)
    ends = path["alpha"].isin([0.0, 1.0])
    axis.plot(
        x,
        y,
        color=style.colour,
        marker=style.marker,
        markevery=list(np.flatnonzero(ends)),
        markersize=5,
        linewidth=1.4,
        label=style.label,
    )
    axis.fill_between(x, y - std, y + std, color=style.colour, alpha=0.2, linewidth=0)


def barriers(results: Results) -> dict[str, Figure]:
    """Error barrier of each adjacent pair, one line per variant."""
    variants = results.variants_with("barriers")
    drawn = _styles(results, variants)
    seeds = max(results.seeds(v, "barriers") for v in variants)
    title = f"Error barrier between neighbouring tickets: {results.setting(*variants)}"
    figure = empty_figure(4.2, title, error_bar_note(seeds))
    axis = figure.subplots()
    densities: set[float] = set()
    for variant, style in drawn.items():
        rows = results.rows_of("barriers", variant, split="test")
        rows = rows.assign(density=rows["ticket_b"].map(results.densities(variant)))
        heights = mean_and_std(rows, ["variant", "ticket_b"], "error_barrier")
        densities |= set(heights["density"])
        draw_lines(axis, heights, {variant: style}, "variant")
    axis.axhline(100 * STABLE, color="0.4", linewidth=0.9, linestyle="--")
    axis.annotate(
        "2 points: unstable above",
        (1, 100 * STABLE),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color="0.3",
    )
    axis.axhline(0, color="0.8", linewidth=0.8)
    density_axis(
        axis, list(densities), "Density of the sparser of the two tickets (% kept, log scale)"
    )
    axis.set_ylabel("Error barrier on test images (points)")
    top = np.nanmax([100 * STABLE * 1.3, axis.get_ylim()[1]])
    axis.set_ylim(top=float(top))
    add_legend(figure, axis)
    return {"barriers": figure}


def _styles(results: Results, variants: list[str]) -> dict[str, Style]:
    """A style by variant, the same in every figure."""
    drawn = variant_styles({v: results.described(v) for v in results.variants})
    return {variant: drawn[variant] for variant in variants}
