"""Every ticket against every other: averaged pairs (Figure 1) and disagreement (Figure 8)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tasks.reporting.cells import draw_cells
from tasks.reporting.imp_pool.results import Results
from tasks.reporting.style import WIDTH, empty_figure, flattest, percent, tick_step

_NUMBERED = 10  # tickets, up to which the cells hold their numbers
_CLIPPED = "; cells beyond an arrow of the colour bar have its last colour"
_GREY = "; grey: not converged or not finite"


def pair_gains(heatmap: pd.DataFrame) -> pd.DataFrame:
    """The table with a column gain: accuracy of the average minus accuracy of ticket_b.

    ticket_b is the sparser parent, whose density the average has. The diagonal gains 0.
    """
    keys = ["variant", "seed", "ticket_b"]
    unpooled = heatmap.query("ticket_a == ticket_b")[[*keys, "accuracy"]]
    both = heatmap.merge(unpooled, on=keys, suffixes=("", "_unpooled"), how="left")
    return both.assign(gain=both["accuracy"] - both["accuracy_unpooled"])


def heatmap(results: Results) -> dict[str, Figure]:
    """Test accuracy of averaged pairs, one panel per variant."""
    panels = {
        v: 100 * _matrix(results, results.rows_of("heatmap", v), "accuracy")
        for v in results.variants_with("heatmap")
    }
    # One scale for all; where it would leave a panel flat, it starts at that panel's lowest cell.
    ranges = _ranges(panels)
    low, high = _common_range(ranges)
    flat = flattest(ranges)
    start = ranges[flat][0] if flat else low
    clipped = start > low
    title = "Test accuracy of two tickets' average"
    figure, axes = _panels(results, "heatmap", panels, title, _CLIPPED if clipped else "")
    scale = ScalarMappable(Normalize(start, max(high, start + 0.1)), "viridis")
    for axis, (variant, panel) in zip(axes, panels.items(), strict=True):
        _draw(results, variant, axis, panel, scale, "{:.1f}")
    bar = figure.colorbar(scale, ax=axes, extend="min" if clipped else "neither")
    bar.set_label("Test accuracy (%)")
    return {"heatmap": figure}


def heatmap_gain(results: Results) -> dict[str, Figure]:
    """Test accuracy of averaged pairs minus that of the sparser parent, one panel per variant."""
    panels = {
        v: 100 * _matrix(results, pair_gains(results.rows_of("heatmap", v)), "gain")
        for v in results.variants_with("heatmap")
    }
    reach = {v: max(-low, high) for v, (low, high) in _ranges(panels).items()}
    # Where one variant loses tens of points, the few that another gains would be white.
    flat = flattest({v: (-value, value) for v, value in reach.items()})
    shown = [reach[flat]] if flat else reach.values()
    limit = max([0.1, *shown])
    title = "Gain of two tickets' average over the sparser of them"
    figure, axes = _panels(results, "heatmap", panels, title, _CLIPPED if flat else "")
    scale = ScalarMappable(Normalize(-limit, limit), "RdBu")
    for axis, (variant, panel) in zip(axes, panels.items(), strict=True):
        _draw(results, variant, axis, panel, scale, "{:+.1f}")
    bar = figure.colorbar(scale, ax=axes, extend="both" if flat else "neither")
    bar.set_label("Gain in test accuracy (points)")
    return {"heatmap-gain": figure}


def disagreement(results: Results) -> dict[str, Figure]:
    """Share of test images labelled differently, and KL divergence: one figure each."""
    variants = results.variants_with("disagreement")
    figures = {}
    for name, column, factor, form, title, label in (
        ("disagreement", "disagreement", 100, "{:.1f}", "Disagreement", "Labelled differently (%)"),
        (
            "disagreement-kl",
            "kl",
            1,
            "{:.2f}",
            "Divergence of predictions",
            "KL(row ‖ column) in nats",
        ),
    ):
        panels = {
            v: factor * _matrix(results, results.rows_of("disagreement", v), column)
            for v in variants
        }
        for panel in panels.values():
            np.fill_diagonal(panel, np.nan)  # nothing but zeros, which would take half the scale
        figure, axes = _panels(
            results, "disagreement", panels, title, "; the diagonal is zero by definition"
        )
        low, high = _common_range(_ranges(panels))
        scale = ScalarMappable(Normalize(low, max(high, low + 1e-6)), "viridis")
        for axis, (variant, panel) in zip(axes, panels.items(), strict=True):
            _draw(results, variant, axis, panel, scale, form)
        figure.colorbar(scale, ax=axes).set_label(label)
        figures[name] = figure
    return figures


def _matrix(results: Results, rows: pd.DataFrame, column: str) -> Any:
    """Mean over seeds, ticket_a down and ticket_b across; NaN where there is no number.

    A pair that the table has in one order only fills both of its cells.
    """
    wide = rows.pivot_table(index="ticket_a", columns="ticket_b", values=column, aggfunc="mean")
    cells = wide.reindex(index=results.tickets, columns=results.tickets).to_numpy(float)
    return np.where(np.isnan(cells), cells.T, cells)


def _ranges(panels: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Lowest and highest finite cell of each panel that has one."""
    finite = {variant: panel[np.isfinite(panel)] for variant, panel in panels.items()}
    return {
        v: (float(cells.min()), float(cells.max())) for v, cells in finite.items() if cells.size
    }


def _common_range(ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Lowest and highest cell of all panels; 0 and 0 where no cell is finite (the KL divergence of
    a single ticket)."""
    ends = [end for both in ranges.values() for end in both]
    return min(ends, default=0.0), max(ends, default=0.0)


def _panels(
    results: Results, table: str, panels: Mapping[str, Any], title: str, scale_note: str = ""
) -> tuple[Figure, list[Axes]]:
    across = min(2, len(panels))
    down = tick_step(len(panels), across)
    seeds = max(results.seeds(v, table) for v in panels)
    off_diagonal = ~np.eye(len(results.tickets), dtype=bool)
    grey = not all(np.isfinite(panel[off_diagonal]).all() for panel in panels.values())
    note = (f"mean over {seeds} seeds" if seeds > 1 else "one seed") + scale_note + _GREY * grey
    height = 0.75 + down * (WIDTH - 1.2) / max(across, 1.7)
    figure = empty_figure(height, f"{title}: {results.setting(*panels)}", note)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for axis, name in zip(axes, panels, strict=False):
        axis.set_title(results.described(name), fontsize=10)
    for spare in axes[len(panels) :]:
        spare.set_axis_off()
    return figure, axes[: len(panels)]


def _draw(
    results: Results, variant: str, axis: Axes, panel: Any, scale: ScalarMappable, form: str
) -> None:
    count = len(panel)
    size = 0.0 if count > _NUMBERED else 8.5 if count <= 6 else 6.5
    draw_cells(axis, panel, scale, form, size)
    axis.set_aspect("equal")
    shown = np.arange(0, count, tick_step(count, _NUMBERED))
    named = results.densities(variant).map(percent).reindex(results.tickets, fill_value="–")
    labels = list(named.iloc[shown])
    axis.set_xticks(shown + 0.5, labels, rotation=45 if count > 6 else 0)
    axis.set_yticks(shown + 0.5, labels)
    axis.set_xlabel("Density of one ticket (%)")
    axis.set_ylabel("Density of the other (%)")
