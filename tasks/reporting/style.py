"""How every figure looks: colours, markers, order of legend, the axis of density, error bars."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from lp_core.files import atomic_write

DENSITY = "Density (% of prunable weights kept, log scale)"
IMAGES = {"test": "test images", "corrupted": "corrupted images"}
WIDTH = 9.6  # inches of every figure: one width of page, so one size of letters


@dataclass(frozen=True)
class Style:
    """A colour of Okabe and Ito's (told apart by people with any colour vision) and a marker."""

    colour: str
    marker: str
    label: str


TICKET = Style("#000000", "o", "Tickets (unpooled)")
_KNOWN = {
    "ticket": TICKET,
    "interpolation": Style("#0072B2", "s", "Lottery Pools (Interpolation)"),
    "average": Style("#56B4E9", "D", "Lottery Pools (Average)"),
    "swa": Style("#D55E00", "^", "SWA"),
    "ema": Style("#CC79A7", "v", "EMA (0.95 on the average)"),
    "ema-newcomer": Style("#E69F00", "v", "EMA (0.95 on the newcomer)"),
}
_MORE = [
    ("#009E73", "P"),
    ("#CC79A7", "X"),
    ("#D55E00", "<"),
    ("#E69F00", ">"),
    ("#56B4E9", "d"),
    ("#0072B2", "p"),
    ("#009E73", "h"),
    ("#CC79A7", "*"),
]
_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31"]
_MARKERS = ["s", "^", "P", "X", "D", "v", "o", "*", "<", ">", "p"]
_WIDE = 32  # letters of a label, beyond which three do not fit beside each other


def styles(methods: Sequence[str], labels: Mapping[str, str] | None = None) -> dict[str, Style]:
    """A style by method, in the order given; a method that has a style of its own keeps it."""
    taken = {_KNOWN[method].colour for method in methods if method in _KNOWN}
    # Colours that no method of this figure has yet come first.
    free = sorted(_MORE, key=lambda pair: pair[0] in taken) * len(methods)
    chosen: dict[str, Style] = {}
    for method in methods:
        style = _KNOWN.get(method) or Style(*free.pop(0), method)
        label = (labels or {}).get(method, style.label)
        chosen[method] = Style(style.colour, style.marker, label)
    return chosen


def variant_styles(labels: Mapping[str, str]) -> dict[str, Style]:
    """A style by variant. No two of 88 have the same colour and marker."""
    return {
        variant: Style(_COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)], label)
        for place, (variant, label) in enumerate(labels.items())
    }


def empty_figure(height: float, title: str, note: str = "") -> Figure:
    """A figure with a title and, below it, a note on bars, bands or colours. height: in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)  # type: ignore[union-attr, call-arg]
    figure.suptitle(f"{title}\n{note}" if note else title, fontsize=11)
    return figure


def error_bar_note(seeds: int, drawn_as: str = "bars") -> str:
    """Says what the error bars are; empty with one seed, which has none."""
    return f"{drawn_as}: ± 1 standard deviation over {seeds} seeds" if seeds > 1 else ""


def draw_lines(
    axis: Axes, rows: pd.DataFrame, drawn: Mapping[str, Style], by: str, scale: float = 100
) -> None:
    """One line with error bars for each style. rows: columns `by`, density, mean, std."""
    for index, (name, style) in enumerate(drawn.items()):
        line = rows[rows[by] == name].sort_values("density")
        std = line["std"]
        # Shifted a little, or the bars of five methods would hide each other.
        shift = 1.012 ** (index - (len(drawn) - 1) / 2)
        axis.errorbar(
            100 * line["density"] / shift,
            scale * line["mean"],
            yerr=None if std.isna().all() else scale * std.fillna(0),
            color=style.colour,
            marker=style.marker,
            markersize=4.5,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2,
            label=style.label,
        )


def density_axis(axis: Axes, densities: Sequence[float], label: str = DENSITY) -> None:
    """Make the x axis logarithmic, in percent, falling to the right, with at most 8 ticks."""
    axis.set_xscale("log")
    # Variants have the same densities but for rounding.
    ordered = sorted({round(density, 6) for density in densities}, reverse=True)
    shown = np.linspace(0, len(ordered) - 1, min(len(ordered), 8)).round().astype(int)
    ticks = [100 * ordered[k] for k in shown]
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(ticks)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    beyond = max((ordered[0] / ordered[-1]) ** 0.05, 1.02)
    axis.set_xlim(100 * ordered[0] * beyond, 100 * ordered[-1] / beyond)
    axis.set_xlabel(label)
    axis.grid(color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)


def tick_step(count: int, most: int) -> int:
    """The step at which at most `most` of `count` things are left."""
    return -(-count // most)


def flattest(ranges: Mapping[str, tuple[float, float]], share: float = 0.2) -> str | None:
    """The name of the range that a scale common to all would leave flat, if there is one.

    ranges: lowest and highest value by name. Flat is the narrowest range, if it takes less than
    `share` of the whole scale.
    """
    if not ranges:
        return None
    whole = max(high for _, high in ranges.values()) - min(low for low, _ in ranges.values())
    width = {name: high - low for name, (low, high) in ranges.items()}
    narrowest = min(width, key=lambda name: width[name])
    return narrowest if width[narrowest] < share * whole else None


def points(gain: float, form: str = "+.2f") -> str:
    """A gain, given as a fraction, in points: `+0.51`."""
    value = (
        100 * gain if float(format(100 * gain, form)) else 0.0
    )  # what rounds to zero has no sign
    return format(value, form).replace("-", "−")


def percent(density: float) -> str:
    """A density, given as a fraction, in percent, for a tick or a cell: `51.2`."""
    return f"{100 * density:.3g}"


def legend_entry(
    label: str,
    colour: str = "0.25",
    marker: str = "",
    line: Literal["-", "--", ":", "none"] = "none",
    hollow: bool = False,
    size: float = 6,
) -> Line2D:
    """An entry of a legend that stands for several things drawn."""
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle=line,
        mfc="white" if hollow else colour,
        markersize=size,
        label=label,
    )


def add_legend(figure: Figure, axis: Axes, extra: Sequence[Artist] = ()) -> None:
    """Put one legend for the whole figure below it, in the order of drawing, `extra` at its end."""
    handles = [*axis.get_legend_handles_labels()[0], *extra]
    columns = 2 if any(len(str(handle.get_label())) > _WIDE for handle in handles) else 3
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


@contextmanager
def reproducible_files() -> Iterator[None]:
    """Settings for drawing and saving under which equal figures give equal files."""
    with mpl.rc_context({"svg.hashsalt": "lottery-pools", "font.size": 9.5}):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write `path`.svg, with no date in it: the same numbers give the same bytes.

    A figure that `empty_figure` made has its axes where its layout has put them, for good.
    """
    # Laid out as SVG, which measures text in its own way and has 72 dots in an inch.
    FigureCanvasSVG(figure)
    figure.set_dpi(72)
    # Rounded, since the layout's solver sums in the order of addresses in memory.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        x, y, width, height = axis.get_position(original=True).bounds
        axis.set_position((round(x, 6), round(y, 6), round(width, 6), round(height, 6)))
    with atomic_write(path.with_name(f"{path.name}.svg")) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
