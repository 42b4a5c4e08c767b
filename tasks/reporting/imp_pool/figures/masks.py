"""How far pooling moves a ticket's mask: as a whole, and layer by layer."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.reporting.imp_pool.results import Results, mean_and_std
from tasks.reporting.style import (
    density_axis,
    draw_lines,
    empty_figure,
    error_bar_note,
    percent,
    styles,
    tick_step,
)

_SHOWN = [("#009E73", "P"), ("#E69F00", "v"), ("#D55E00", "^")]


def masks(results: Results) -> dict[str, Figure]:
    """Share of the mask that moved; density by layer of a few tickets, and its shift.

    One figure per variant, of the first headline method.
    """
    figures = {}
    for variant in results.variants_with("layers"):
        method = results.headline_methods[0]
        style = styles([method])[method]
        rows = results.rows_of("layers", variant, method=method)
        title = f"Masks of {style.label} against the tickets': {results.setting(variant)}"
        figure = empty_figure(6, title, error_bar_note(results.seeds(variant, "layers")))
        axes = figure.subplot_mosaic(
            [["moved", "density"], ["moved", "shift"]], width_ratios=[1, 1.3]
        )
        left = axes["moved"]
        moved = mean_and_std(moved_by_ticket(rows), ["method", "ticket"], "moved")
        draw_lines(left, moved, {method: style}, "method")
        density_axis(left, list(moved["density"]))
        left.set_ylim(bottom=0)
        left.set_ylabel("Kept weights that pooling replaces (%)")
        handles = _draw_layers(axes["density"], axes["shift"], rows)
        figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
        figures[f"masks-{variant}"] = figure
    return figures


def moved_by_ticket(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of all kept weights that the pooled mask drops, from the layers' shares.

    Columns method, ticket, seed, density (the ticket's, of all prunable weights), moved.
    """
    kept = rows["weights"] * rows["ticket_density"]
    sums = (
        rows.assign(kept=kept, dropped=kept * rows["moved"])
        .groupby(["method", "ticket", "seed"], sort=False)[["weights", "kept", "dropped"]]
        .sum()
        .reset_index()
    )
    return sums.assign(density=sums["kept"] / sums["weights"], moved=sums["dropped"] / sums["kept"])


def _draw_layers(axis: Axes, shift: Axes, rows: pd.DataFrame) -> list[Line2D]:
    """Draw both densities of each layer and, below them, the difference, which is too small to be
    seen above. Returns the entries of the legend."""
    order = list(dict.fromkeys(rows["layer"]))  # as the network runs
    whole = moved_by_ticket(rows).groupby("ticket")["density"].mean()
    sparse = [t for t in whole.index if whole[t] < 1] or list(whole.index)
    chosen = sorted({sparse[0], sparse[len(sparse) // 2], sparse[-1]})
    handles = []
    means = rows.groupby(["ticket", "layer"])[["ticket_density", "density"]].mean()
    for ticket, (colour, marker) in zip(chosen, _SHOWN, strict=False):
        layers = means.loc[ticket].reindex(order)
        x = range(len(order))
        axis.plot(x, 100 * layers["ticket_density"], f"--{marker}", color=colour, mfc="white")
        axis.plot(x, 100 * layers["density"], f"-{marker}", color=colour, markersize=4)
        difference = 100 * (layers["density"] - layers["ticket_density"])
        shift.plot(x, difference, f"-{marker}", color=colour, markersize=4)
        label = f"Network at {percent(whole[ticket])}%"
        handles.append(Line2D([], [], color=colour, marker=marker, label=label))
    handles.append(Line2D([], [], color="0.3", linestyle="--", marker="o", mfc="white"))
    handles[-1].set_label("Ticket")
    handles.append(Line2D([], [], color="0.3", marker="o", markersize=4, label="Pooled"))
    shown = range(0, len(order), tick_step(len(order), 24))
    labels = [order[k].removesuffix(".weight") for k in shown]
    axis.set_xticks(list(shown), [])
    shift.set_xticks(list(shown), labels, rotation=90, fontsize=8)
    shift.axhline(0, color="black", linewidth=0.8)
    shift.set_xlabel("Layer, in the order of the network")
    axis.set_ylim(bottom=0)
    axis.set_ylabel("Density of the layer (%)")
    shift.set_ylabel("Pooled minus ticket (points)")
    for panel in (axis, shift):
        panel.grid(color="0.9")
        panel.set_axisbelow(True)
    return handles
