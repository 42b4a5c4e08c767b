"""Masks of one variant trained as another one (Table 4), and masks that a shorter search found
(AIMP: Tables 3 and 16)."""

from math import ceil

import pandas as pd
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures.tickets import DENSITY, thin_ticks
from tasks.reporting.sgd_noise.measures import accuracies, crossed_accuracies
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import (
    Style,
    density_axis,
    draw_lines,
    empty_figure,
    error_bar_note,
    legend_entry,
    variant_styles,
)

_ACROSS = 2  # panels in a row


def aimp(results: Results) -> dict[str, Figure]:
    """Tickets of shorter mask searches, each panel a training; the full search beside them."""
    rows = crossed_accuracies(results.frames)
    rows = rows[[is_aimp(results, *pair) for pair in _pairs(rows)]]
    if rows.empty:
        raise NoData("no pair of `sgd_noise.crossed` differs in its mask search's epochs alone")
    return {"sgd-aimp": _figure(results, rows, "training", "Masks of shorter searches (AIMP)")}


def crossed(results: Results) -> dict[str, Figure]:
    """Tickets of one variant trained with another's settings, each panel a mask search."""
    rows = crossed_accuracies(results.frames)
    rows = rows[[not is_aimp(results, *pair) for pair in _pairs(rows)]]
    if rows.empty:
        raise NoData("`sgd_noise.crossed` has no pair that differs in more than epochs")
    return {"sgd-crossed": _figure(results, rows, "variant", "Mask search and sparse training")}


def is_aimp(results: Results, masks: str, training: str) -> bool:
    """Whether two variants differ in their epochs, and in neither momentum nor batch size."""
    a, b = results.settings[masks], results.settings[training]
    alike = (a.momentum, a.batch_size) == (b.momentum, b.batch_size)
    return alike and a.epochs != b.epochs


def _pairs(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(rows["variant"], rows["training"], strict=True))


def _figure(results: Results, rows: pd.DataFrame, panel: str, title: str) -> Figure:
    """panel: the column that a panel shows one value of; the other one is what its lines are."""
    line = "training" if panel == "variant" else "variant"
    plain = accuracies(results.frames)
    plain = plain[plain["ticket"].isin(set(rows["ticket"]))].assign(training=plain["variant"])
    rows = pd.concat([rows, plain[plain["variant"].isin(set(rows[panel]))]], ignore_index=True)
    panels = [name for name in results.known if name in set(rows[panel])]
    lines = [name for name in results.known if name in set(rows[line])]
    styles = variant_styles({name: _said(results, name, line) for name in lines})
    across = min(_ACROSS, len(panels))
    down = ceil(len(panels) / across)
    seeds = results.seeds("crossed")
    figure = empty_figure(1.4 + 2.6 * down, f"{title}: {results.setting}", error_bar_note(seeds))
    for place, (name, axis) in enumerate(
        zip(panels, figure.subplots(down, across, squeeze=False, sharey=True).flat, strict=False)
    ):
        own = rows[rows[panel] == name]
        drawn: dict[str, Style] = {n: s for n, s in styles.items() if n in set(own[line])}
        draw_lines(axis, own, drawn, line)
        for row in own[own["failed"] > 0].itertuples():
            x, y = 100 * row.density, 100 * row.mean
            axis.plot([x], [y], "*", color=drawn[getattr(row, line)].colour, markersize=11)
        axis.set_title(_said(results, name, panel), fontsize=9)
        density_axis(axis, list(rows["density"]), DENSITY if place + across >= len(panels) else "")
        thin_ticks(axis)
        if place % across == 0:
            axis.set_ylabel("Test accuracy (%)")
    for axis in figure.axes[len(panels) :]:
        axis.set_axis_off()
    entries = [legend_entry(s.label, s.colour, s.marker, "-") for s in styles.values()]
    if (rows["failed"] > 0).any():
        entries.append(legend_entry("Not every seed converged", marker="*", size=9))
    figure.legend(handles=entries, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _said(results: Results, variant: str, role: str) -> str:
    own = results.settings[variant]
    what = "Masks of" if role == "variant" else "Trained as"
    return f"{what} {variant} (μ {own.momentum:g}, batch {own.batch_size}, {own.epochs} epochs)"
