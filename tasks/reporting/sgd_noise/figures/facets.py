"""Panels by momentum and batch size, so that a product of many variants stays legible."""

from collections.abc import Callable, Iterable, Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import Style, empty_figure, legend_entry

_MOST = 3  # panels in a row where only one of the two varies
Draw = Callable[[Axes, str, Style], None]


def facet_figure(
    results: Results,
    variants: Sequence[str],
    title: str,
    note: str,
    labels: tuple[str, str],
    draw: Draw,
    share: bool = True,
    finish: Callable[[Axes], None] | None = None,
    legend: Sequence[Line2D] = (),
    lines: bool = True,
) -> Figure:
    """A panel for each momentum (down) and batch size (across), a line for each variant in it.

    labels: of both axes. draw: adds a variant to its panel. share: whether all panels have one y
    axis. finish: called for each panel when all of its lines are drawn. legend: entries after
    those of the lines. lines: whether the variants' lines have entries.
    """
    settings = results.settings
    places = {name: (settings[name].momentum, settings[name].batch_size) for name in variants}
    down, across, at = _layout(set(places.values()))
    figure = empty_figure(1.25 + max(1.75 * down, 2.5), title, note)
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=share)
    for (row, column), axis in (((r, c), axes[r, c]) for r in range(down) for c in range(across)):
        here = [name for name, place in places.items() if at[place] == (row, column)]
        if not here:
            axis.set_axis_off()
            continue
        for name in here:
            draw(axis, name, results.style(name))
        momentum, batch = places[here[0]]
        title_size = 9.5 if across < 5 else 8
        axis.set_title(f"μ {momentum:g}, batch size {batch}", fontsize=title_size)
        if across >= 4:
            axis.tick_params(labelsize=7.5)
        axis.grid(color="0.9", linewidth=0.8)
        axis.set_axisbelow(True)
        if finish:
            finish(axis)
        axis.tick_params(labelbottom=(row + 1, column) not in at.values())
    figure.supylabel(labels[1], fontsize=9.5)
    styles = line_styles(results, variants) if lines else []
    entries = [legend_entry(style.label, style.colour, style.marker, "-") for style in styles]
    add_legend(figure, labels[0], [*entries, *legend])
    return figure


def line_styles(results: Results, variants: Iterable[str]) -> list[Style]:
    """The styles of these variants' lines, each once."""
    used = dict.fromkeys(results.lines[name] for name in variants)
    return [results.line_styles[name] for name in used]


def add_legend(figure: Figure, label: str, entries: Sequence[Line2D]) -> None:
    """Put a legend below the figure, and above it the label of all x axes.

    The label is the legend's title: matplotlib would lay a label of the figure over the legend.
    """
    figure.legend(
        handles=[*entries],
        title=label,
        title_fontsize=9.5,
        loc="outside lower center",
        ncols=4 if len(entries) in (4, 7, 8) else 3,
        frameon=False,
        fontsize=9,
    )


def draw_threshold(axis: Axes, threshold: float) -> None:
    """The line above which a start counts as unstable. threshold: 0–1, drawn in points."""
    axis.axhline(100 * threshold, color="0.1", linewidth=1.0, linestyle="--", zorder=3)
    axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)


def threshold_entry(threshold: float) -> Line2D:
    """Its entry in a legend."""
    return legend_entry(f"Unstable above ({100 * threshold:g} points)", "0.1", line="--")


def _layout(
    places: set[tuple[float, int]],
) -> tuple[int, int, dict[tuple[float, int], tuple[int, int]]]:
    """Rows, columns, and where each momentum and batch size goes."""
    momenta, batches = (sorted({place[k] for place in places}) for k in (0, 1))
    if len(momenta) == 1 or len(batches) == 1:
        across = min(_MOST, len(places))
        at = {place: divmod(index, across) for index, place in enumerate(sorted(places))}
        return ceil(len(places) / across), across, at
    at = {place: (momenta.index(place[0]), batches.index(place[1])) for place in places}
    return len(momenta), len(batches), at
