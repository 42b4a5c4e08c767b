"""Forgetting events along training (Figure 6), and forks on a part of the images (Figure 7)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures.facets import draw_threshold, facet_figure
from tasks.reporting.sgd_noise.figures.instability import draw_path
from tasks.reporting.sgd_noise.measures import start_barriers
from tasks.reporting.sgd_noise.results import REWIND, Results
from tasks.reporting.style import Style, empty_figure, legend_entry

_ALL = "all images"
_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
_MARKERS = ["s", "^", "P", "X", "D", "v"]


def forgetting(results: Results) -> dict[str, Figure]:
    """Mean forgetting events of a sample in each epoch of the forks at the rewind point."""
    rows = results.rows_of("fork_curves", start=REWIND, removed=None).dropna(subset="events")
    variants = [name for name in results.grid if name in set(rows["variant"])]
    if not variants:
        raise NoData("table `fork_curves` has no rows of forks at the rewind point")

    def draw(axis: Axes, variant: str, style: Style) -> None:
        own = rows[rows["variant"] == variant].groupby("epoch")["events"].agg(["mean", "std"])
        epochs, std = own.index + 1, own["std"].fillna(0)
        few = style.marker if len(own) <= 20 else ""
        axis.plot(epochs, own["mean"], few + "-", color=style.colour, markersize=3.5, linewidth=1.3)
        low, high = own["mean"] - std, own["mean"] + std
        axis.fill_between(epochs, low, high, color=style.colour, alpha=0.18, linewidth=0)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    forks = rows[["seed", "noise"]].drop_duplicates()
    note = f"bands: ± 1 standard deviation over {len(forks)} forks" if len(forks) > 1 else ""
    figure = facet_figure(
        results,
        variants,
        f"Forgetting events in each epoch: {results.setting}",
        note,
        ("Epochs trained", "Events per sample in the epoch"),
        draw,
    )
    return {"sgd-forgetting": figure}


def subsets(results: Results) -> dict[str, Figure]:
    """Lines, barriers and accuracy of forks without the easiest or hardest samples. One figure per
    variant."""
    figures = {}
    for variant in results.grid:
        forks, pairs = (
            results.rows_of(table, variant, start=REWIND, split="test")
            for table in ("forks", "instability")
        )
        trained = pd.concat([forks["removed"], pairs["removed"]])
        removed = sorted(set(trained.dropna()))
        if not removed:
            continue
        parts = [None, *removed] if trained.isna().any() else list(removed)
        figure = empty_figure(4.4, f"Forks on a part of the images: {results.described(variant)}")
        paths, bars, scores = figure.subplots(1, 3, width_ratios=[1.3, 1, 1])
        barriers = start_barriers(results.frames)
        barriers = barriers[(barriers["variant"] == variant) & (barriers["start"] == REWIND)]
        for place, part in enumerate(parts):
            style = Style(_COLOURS[place % 6], _MARKERS[place % 6], describe(part))
            where = {"start": REWIND, "removed": part, "split": "test"}
            line = results.rows_of("instability_paths", variant, **where).dropna(subset="error")
            draw_path(paths, line, style)
            own = barriers[_is(barriers["removed"], part)]
            for row in own.itertuples():
                _bar(bars, place, 100 * row.mean, 100 * row.std, style)
            accuracy = 100 * forks[_is(forks["removed"], part)]["accuracy"]
            _point(scores, place, accuracy.mean(), accuracy.std(), style)
        for axis, title, label in (
            (paths, "Lines between forks", "Test error (%)"),
            (bars, "Error barrier", "Error barrier (points)"),
            (scores, "Accuracy of the forks", "Test accuracy (%)"),
        ):
            axis.set_title(title, fontsize=10)
            axis.set_ylabel(label)
            axis.grid(axis="both" if axis is paths else "y", color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
        paths.set_xlabel("α, the weight of one of the two")
        draw_threshold(bars, results.threshold)
        for axis in (bars, scores):
            axis.set_xticks([])
            axis.set_xlim(-0.7, len(parts) - 0.3)
        entries = [
            legend_entry(describe(part), _COLOURS[k % 6], _MARKERS[k % 6], "-")
            for k, part in enumerate(parts)
        ]
        figure.legend(handles=entries, loc="outside lower center", ncols=3, frameon=False)
        figures[f"sgd-subsets-{variant}"] = figure
    if not figures:
        raise NoData("`sgd_noise.subsets` names no variant")
    return figures


def describe(removed: str | None) -> str:
    """What a fork trained on: `without the hardest 30%`."""
    if removed is None:
        return f"Trained on {_ALL}"
    which, _, share = removed.partition("-")
    return f"Without the {which} {share}%"


def _is(column: pd.Series, part: str | None) -> "pd.Series[bool]":
    return column.isna() if part is None else column == part


def _bar(axis: Axes, at: float, height: float, std: float, style: Style) -> None:
    if np.isnan(height):
        axis.plot([at], [0], "x", color=style.colour, markersize=7, markeredgewidth=2)
        return
    axis.bar(at, height, 0.7, color=style.colour)
    if not np.isnan(std):
        axis.errorbar(at, height, yerr=std, fmt="none", ecolor="0.2", elinewidth=0.9, capsize=3)


def _point(axis: Axes, at: float, height: float, std: float, style: Style) -> None:
    """A point, since accuracies differ by little, and a bar would have to begin at zero."""
    yerr = None if np.isnan(std) else [std]
    axis.errorbar(
        [at],
        [height],
        yerr=yerr,
        fmt=style.marker,
        color=style.colour,
        markersize=7,
        elinewidth=0.9,
        capsize=3,
    )
