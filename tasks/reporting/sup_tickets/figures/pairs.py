"""Two numbers for each method, joined by a line, and their difference seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.reporting.style import empty_figure, error_bar_note, legend_entry
from tasks.reporting.sup_tickets.methods import Method

GREY = "0.55"


@dataclass(frozen=True)
class Two:
    """What is compared: the columns' suffix of the one that is gained upon, and both names."""

    suffix: str
    first: str
    second: str


def pair_figure(
    title: str, methods: Sequence[Method], panels: int, seeds: int, note: str = ""
) -> tuple[Figure, list[Axes]]:
    """A figure with a row for each method in every panel."""
    notes = "; ".join(part for part in (note, error_bar_note(seeds)) if part)
    figure = empty_figure(2.2 + 0.36 * len(methods), title, notes)
    axes = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    axes[0].set_yticks(range(len(methods)), [method.label for method in methods])
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    for axis in axes:
        axis.grid(axis="x", color="0.9", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(axis="y", length=0)
    return figure, axes


def draw_values(
    axis: Axes,
    rows: pd.DataFrame,
    methods: Sequence[Method],
    two: Two,
    column: str,
    scale: float = 100,
) -> None:
    """Both means, hollow and filled, with bars over seeds. rows: of `scores.beside`."""
    for place, method in enumerate(methods):
        own = rows[rows["method"] == method.name]
        style = method.style
        means = []
        for name, shift, fill in (
            (f"{column}_{two.suffix}", -0.13, "white"),
            (column, 0.13, style.colour),
        ):
            mean, std = scale * own[name].mean(), scale * own[name].std()
            means.append(mean)
            axis.errorbar(
                mean,
                place + shift,
                xerr=None if std != std else std,
                color=style.colour,
                marker=style.marker,
                mfc=fill,
                markersize=6,
                elinewidth=0.9,
                capsize=2,
            )
        axis.plot(means, [place - 0.13, place + 0.13], color=style.colour, linewidth=0.8)


def draw_gains(axis: Axes, rows: pd.DataFrame, methods: Sequence[Method]) -> None:
    """Each seed's difference as a dot, their mean as a bar across. rows: method, gain."""
    axis.axvline(0, color="black", linewidth=0.9)
    for place, method in enumerate(methods):
        gain = 100 * rows.loc[rows["method"] == method.name, "gain"]
        if gain.empty:
            continue
        style = method.style
        std = gain.std()
        axis.barh(
            place,
            gain.mean(),
            height=0.5,
            color=style.colour,
            alpha=0.35,
            xerr=None if std != std else std,
            error_kw={"elinewidth": 0.9, "capsize": 2},
        )
        axis.plot(
            gain,
            [place] * len(gain),
            linestyle="none",
            marker="o",
            color=style.colour,
            markersize=3.5,
        )


def gain_entry() -> Line2D:
    """What `draw_gains` draws."""
    return legend_entry("One seed's difference; bar: mean", marker="o", size=3.5)


def pair_legend(figure: Figure, two: Two, extra: Sequence[Line2D] = ()) -> None:
    """Hollow and filled, and what else there is, below the figure."""
    handles = [
        legend_entry(two.first, marker="o", hollow=True),
        legend_entry(two.second, marker="o"),
        *extra,
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
