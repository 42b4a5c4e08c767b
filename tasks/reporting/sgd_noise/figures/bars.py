"""Bars by batch size, side by side for what else differs, a column of panels by momentum."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.reporting.sgd_noise.figures.facets import add_legend, line_styles
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import empty_figure, legend_entry


class Bar(NamedTuple):
    """A bar's height and deviation, as drawn; NaN for none. lost: measurements without a number.

    marks: heights of marks on the bar, by marker.
    """

    height: float
    std: float
    lost: int = 0
    marks: Mapping[str, float] = MappingProxyType({})


def bar_figure(
    results: Results,
    panels: Mapping[str, Mapping[str, Bar]],
    title: str,
    note: str,
    label: str,
    decorate: Callable[[Axes], None] | None = None,
    legend: Sequence[Line2D] = (),
) -> Figure:
    """A row of panels for each name in `panels`, which gives each variant's bar.

    label: of the y axis. decorate: called for each panel. legend: entries
    after those of the bars.
    """
    settings = results.settings
    variants = [name for name in results.grid if any(name in bars for bars in panels.values())]
    momenta = sorted({settings[name].momentum for name in variants})
    figure = empty_figure(1.35 + max(1.9 * len(panels), 2.4), title, note)
    axes = figure.subplots(len(panels), len(momenta), squeeze=False, sharex="col", sharey="row")
    lines = list(dict.fromkeys(results.lines[name] for name in variants))
    for row, (heading, bars) in enumerate(panels.items()):
        for column, momentum in enumerate(momenta):
            axis = axes[row, column]
            here = [name for name in variants if settings[name].momentum == momentum]
            batches = sorted({settings[name].batch_size for name in here})
            for name in here:
                if name in bars:
                    group = batches.index(settings[name].batch_size)
                    place = lines.index(results.lines[name]) - (len(lines) - 1) / 2
                    width = 0.8 / len(lines)
                    colour, size = results.style(name).colour, 5.5 if len(variants) <= 20 else 3.0
                    _draw(axis, group + place * width, width, bars[name], colour, size)
            axis.set_xticks(np.arange(len(batches)), [str(batch) for batch in batches])
            axis.set_xlim(-0.6, len(batches) - 0.4)
            if len(batches) > 3 and len(momenta) > 2:
                axis.tick_params(axis="x", rotation=45, labelsize=8)
            axis.grid(axis="y", color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
            axis.axhline(0, color="0.6", linewidth=0.8)
            name_of = f"{heading}, μ {momentum:g}" if len(momenta) <= 2 else f"μ {momentum:g}"
            axis.set_title(name_of, fontsize=9)
            if decorate:
                decorate(axis)
        if len(momenta) > 2:
            axes[row, 0].set_ylabel(heading, fontsize=8.5)
    figure.supylabel(label, fontsize=9.5)
    styles = line_styles(results, variants)
    entries = [legend_entry(style.label, style.colour, "s", size=8) for style in styles]
    add_legend(figure, "Batch size", [*entries, *legend])
    return figure


def _draw(axis: Axes, at: float, width: float, bar: Bar, colour: str, size: float) -> None:
    """size: of the marks on the bar, in points."""
    if np.isnan(bar.height):
        axis.plot([at], [0], "x", color=colour, markersize=7, markeredgewidth=2, clip_on=False)
        return
    axis.bar(at, bar.height, 0.92 * width, color=colour)
    if not np.isnan(bar.std):
        axis.errorbar(
            at, bar.height, yerr=bar.std, fmt="none", ecolor="0.2", elinewidth=0.9, capsize=2
        )
    for marker, height in bar.marks.items():
        if not np.isnan(height):
            axis.plot([at], [height], marker, color="0.1", mfc="white", markersize=size)
