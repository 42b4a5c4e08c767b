"""Every ticket against every other: averaged pairs (Figure 1) and disagreement (Figure 8)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tasks.figures.cells import draw_cells
from tasks.figures.results import NoData, Results
from tasks.figures.style import WIDTH, blank, every, flattest, percent

_NUMBERED = 10  # tickets, up to which the cells hold their numbers
_CLIPPED = "; cells beyond an arrow of the colour bar have its last colour"


def pair_gains(heatmap: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table with a column gain: accuracy less that of ticket_b, the sparser parent,
    whose density the average has. 0 on the diagonal."""
    keys = ["variant", "seed", "ticket_b"]
    alone = heatmap.query("ticket_a == ticket_b")[[*keys, "accuracy"]]
    both = heatmap.merge(alone, on=keys, suffixes=("", "_alone"), how="left")
    return both.assign(gain=both["accuracy"] - both["accuracy_alone"])


def heatmap(results: Results) -> dict[str, Figure]:
    """Test accuracy of averaged pairs, a panel a variant."""
    panels = {v: _matrix(results.of("heatmap", v), "accuracy") for v in _with(results, "heatmap")}
    panels = {variant: 100 * panel for variant, panel in panels.items()}
    low, high, clipped = _range(panels)
    title = "Test accuracy of two tickets' average"
    figure, axes = _panels(results, panels, title, _CLIPPED if clipped else "")
    scale = ScalarMappable(Normalize(low, high), "viridis")
    for axis, (variant, panel) in zip(axes, panels.items(), strict=True):
        _draw(axis, panel, scale, results.densities(variant), "{:.1f}")
    bar = figure.colorbar(scale, ax=axes, extend="min" if clipped else "neither")
    bar.set_label("Test accuracy (%)")
    return {"heatmap": figure}


def heatmap_gain(results: Results) -> dict[str, Figure]:
    """The same less the accuracy of the sparser parent."""
    panels = {
        v: 100 * _matrix(pair_gains(results.of("heatmap", v)), "gain")
        for v in _with(results, "heatmap")
    }
    reach = {v: float(np.nan_to_num(np.abs(p)).max()) for v, p in panels.items()}
    # Where one variant loses tens of points, the few that another gains would be white.
    flat = flattest({v: (-value, value) for v, value in reach.items()})
    limit = max(reach[flat] if flat else max(reach.values()), 0.1)
    title = "Gain of two tickets' average over the sparser of them"
    figure, axes = _panels(results, panels, title, _CLIPPED if flat else "")
    scale = ScalarMappable(Normalize(-limit, limit), "RdBu")
    for axis, (variant, panel) in zip(axes, panels.items(), strict=True):
        _draw(axis, panel, scale, results.densities(variant), "{:+.1f}")
    bar = figure.colorbar(scale, ax=axes, extend="both" if flat else "neither")
    bar.set_label("Gain in test accuracy (points)")
    return {"heatmap-gain": figure}


def disagreement(results: Results) -> dict[str, Figure]:
    """Share of test images labelled differently, and KL divergence: a row each."""
    variants = _with(results, "disagreement")
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
        panels = {v: factor * _matrix(results.of("disagreement", v), column) for v in variants}
        for panel in panels.values():
            np.fill_diagonal(panel, np.nan)  # nothing but zeros, which would take half the scale
        figure, axes = _panels(results, panels, title, "; the diagonal is zero by definition")
        known = np.concatenate([panel[~np.isnan(panel)] for panel in panels.values()])
        low, high = (known.min(), known.max()) if len(known) else (0, 1)
        scale = ScalarMappable(Normalize(low, max(high, low + 1e-6)), "viridis")
        for axis, (variant, panel) in zip(axes, panels.items(), strict=True):
            _draw(axis, panel, scale, results.densities(variant), form)
        figure.colorbar(scale, ax=axes).set_label(label)
        figures[name] = figure
    return figures


def _with(results: Results, table: str) -> list[str]:
    found = [v for v in results.variants if v in set(results.frames[table]["variant"])]
    if not found:
        raise NoData(f"table `{table}` is empty")
    return found


def _matrix(rows: pd.DataFrame, column: str) -> Any:
    """Mean over seeds, ticket_a down and ticket_b across; NaN where there is no number.

    What is there for one order of a pair alone stands for both.
    """
    tickets = sorted({*rows["ticket_a"], *rows["ticket_b"]})
    wide = rows.pivot_table(index="ticket_a", columns="ticket_b", values=column, aggfunc="mean")
    cells = wide.reindex(index=tickets, columns=tickets).to_numpy(float)
    return np.where(np.isnan(cells), cells.T, cells)


def _range(panels: Mapping[str, Any]) -> tuple[float, float, bool]:
    """Lowest and highest colour, and whether cells lie below. One scale for all panels; where it
    would leave one of them flat, it starts at that panel's lowest cell."""
    lows = {v: float(np.nanmin(p)) for v, p in panels.items() if not np.isnan(p).all()}
    if not lows:
        return 0.0, 100.0, False
    highs = {v: float(np.nanmax(panels[v])) for v in lows}
    flat = flattest({v: (lows[v], highs[v]) for v in lows})
    low, high = lows[flat] if flat else min(lows.values()), max(highs.values())
    return low, max(high, low + 0.1), low > min(lows.values())


def _panels(
    results: Results, panels: Mapping[str, Any], title: str, more: str = ""
) -> tuple[Figure, list[Axes]]:
    across = min(2, len(panels))
    down = every(len(panels), across)
    variant = next(iter(panels))
    seeds = {results.seeds(v) for v in panels}
    note = (f"mean over {max(seeds)} seeds" if max(seeds) > 1 else "one seed") + more
    names = "variants " + ", ".join(panels) if len(panels) > 1 else f"variant {variant}"
    height = 0.75 + down * (WIDTH - 1.2) / max(across, 1.7)
    figure = blank(height, f"{title}: {results.model(variant)} on {results.dataset}, {names}", note)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for axis, name in zip(axes, panels, strict=False):
        axis.set_title(results.described(name), fontsize=10)
    for spare in axes[len(panels) :]:
        spare.set_axis_off()
    return figure, axes[: len(panels)]


def _draw(
    axis: Axes, panel: Any, scale: ScalarMappable, densities: "pd.Series[float]", form: str
) -> None:
    count = len(panel)
    size = 0.0 if count > _NUMBERED else 8.5 if count <= 6 else 6.5
    draw_cells(axis, panel, scale, form, size)
    axis.set_aspect("equal")
    shown = np.arange(0, count, every(count, _NUMBERED))
    labels = [percent(densities.iloc[k]) for k in shown]
    axis.set_xticks(shown + 0.5, labels, rotation=45 if count > 6 else 0)
    axis.set_yticks(shown + 0.5, labels)
    axis.set_xlabel("Density of one ticket (%)")
    axis.set_ylabel("Density of the other (%)")
