"""The last part of a training, cycle by cycle: what is trained, taken and averaged."""

from collections.abc import Callable
from math import ceil

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tasks.reporting.no_data import NoData
from tasks.reporting.style import empty_figure, error_bar_note, legend_entry
from tasks.reporting.sup_tickets.methods import Method
from tasks.reporting.sup_tickets.results import Results

_PLAIN, _AVERAGE = "0.45", "#882255"
_CIRCLE, _STAR = 10, 7  # sizes: the first average is the first ticket, and both are seen
_ACROSS = 3  # panels in a row


def last_epochs(results: Results) -> dict[str, Figure]:
    """Held-out accuracy along the last epochs of both endings. One figure per variant."""
    first = results.endings.first

    def draw(axis: Axes, variant: str, method: Method) -> None:
        curves = results.rows_of("curves", variant, method=method.name, split="val")
        last = results.epochs(variant)
        before = max(0, results.start - max(1, (last - results.start) // 2))
        seen = []  # what the y axis is made for: all from the parting on
        prefix = curves[curves["ending"].isna() & (curves["epoch"] + 1 >= before)]
        for ending, colour, line_style in (
            (results.endings.plain, _PLAIN, "--"),
            (first, method.style.colour, "-"),
        ):
            line = _mean(pd.concat([prefix, curves[curves["ending"] == ending]]), "accuracy")
            axis.plot(line.index + 1, 100 * line, line_style, color=colour, linewidth=1.3)
            seen += list(100 * line[line.index + 1 >= results.start])
        _shade(axis, results, variant)
        cheap = results.rows_of(
            "cheap_tickets", variant, method=method.name, ending=first, split="val"
        )
        own, average = (
            100 * cheap.groupby("epoch")[column].mean()
            for column in ("accuracy", "average_accuracy")
        )
        axis.plot(own.index, own, "o", mfc="none", color=method.style.colour, markersize=_CIRCLE)
        axis.plot(average.index, average, "*", color=_AVERAGE, markersize=_STAR)
        _fit(axis, [*seen, *own, *average])
        axis.set_xlim(before, last + 0.04 * (last - before))

    title = "Held-out accuracy along the last epochs"
    labels = ("Epochs trained", "Held-out accuracy (%)")
    legend = [
        legend_entry("Plain ending", _PLAIN, line="--"),
        legend_entry(f"Sup-tickets ({first})", line="-"),
        legend_entry("Endings part", "0.4", line=":"),
        legend_entry("Cheap ticket", marker="o", hollow=True, size=_CIRCLE),
        legend_entry("Running average", _AVERAGE, "*", size=_STAR),
    ]
    return _panels(results, ("sup-cycles", title), labels, legend, draw, bars=False)


def cheap(results: Results) -> dict[str, Figure]:
    """Test accuracy of each cheap ticket and of the running average. One figure per variant."""
    first = results.endings.first

    def draw(axis: Axes, variant: str, method: Method) -> None:
        where = {"method": method.name, "split": "test"}
        rows = results.rows_of("cheap_tickets", variant, ending=first, **where)
        plain = results.rows_of("sup_tickets", variant, ending=results.endings.plain, **where)
        if len(plain):
            axis.axhline(100 * plain["accuracy"].mean(), color=_PLAIN, linestyle="--")
        for column, mark, colour, size in (
            ("accuracy", "o-", method.style.colour, _CIRCLE),
            ("average_accuracy", "*-", _AVERAGE, _STAR),
        ):
            means = 100 * rows.groupby("cheap")[column].agg(["mean", "std"])
            axis.errorbar(
                means.index,
                means["mean"],
                yerr=None if means["std"].isna().all() else means["std"].fillna(0),
                fmt=mark,
                color=colour,
                mfc="white" if column == "accuracy" else colour,
                markersize=size,
                elinewidth=0.9,
                capsize=2,
            )
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.margins(x=0.12)

    title = "Cheap tickets and their running average"
    labels = ("Cheap ticket", "Test accuracy (%)")
    legend = [
        legend_entry("Plain ending", _PLAIN, line="--"),
        legend_entry("Cheap ticket by itself", marker="o", line="-", hollow=True, size=_CIRCLE),
        legend_entry("Running average after it", _AVERAGE, "*", "-", size=_STAR),
    ]
    return _panels(results, ("sup-cheap", title), labels, legend, draw, bars=True)


def _panels(
    results: Results,
    title: tuple[str, str],
    labels: tuple[str, str],
    legend: list[Line2D],
    draw: Callable[[Axes, str, Method], None],
    bars: bool,
) -> dict[str, Figure]:
    """A panel for each method that made cheap tickets. One figure per variant.

    title: name of the file, and what the figure shows. labels: of both axes. bars: whether there
    are any over seeds.
    """
    figures = {}
    for variant in results.variants_with("cheap_tickets"):
        rows = results.rows_of("cheap_tickets", variant, ending=results.endings.first)
        chosen = results.trained(rows["method"])
        if not chosen:
            continue
        seeds = int(rows["seed"].nunique())
        down = ceil(len(chosen) / _ACROSS)
        notes = [f"means over {seeds} seeds" if seeds > 1 else "", error_bar_note(seeds) * bars]
        note = "; ".join(part for part in notes if part)
        figure = empty_figure(1.3 + 2.6 * down, f"{title[1]}: {results.setting(variant)}", note)
        across = min(_ACROSS, len(chosen))
        axes = list(figure.subplots(down, across, squeeze=False).flat)
        for axis, method in zip(axes, chosen, strict=False):
            draw(axis, variant, method)
            axis.set_title(method.label, fontsize=10)
            axis.grid(color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
        for place, axis in enumerate(axes):
            if place >= len(chosen):
                axis.set_visible(False)
                continue
            if place % across == 0:
                axis.set_ylabel(labels[1])
            if place + across >= len(chosen):
                axis.set_xlabel(labels[0])
        figure.legend(handles=legend, loc="outside lower center", ncols=5, frameon=False)
        figures[f"{title[0]}-{variant}"] = figure
    if not figures:
        raise NoData(f"table `cheap_tickets` has no rows of ending `{results.endings.first}`")
    return figures


def _mean(rows: pd.DataFrame, column: str) -> "pd.Series[float]":
    return rows.groupby("epoch")[column].mean()


def _fit(axis: Axes, values: list[float]) -> None:
    """Scale the y axis to these values, whatever else is drawn."""
    low, high = pd.Series(values).min(), pd.Series(values).max()
    if high > low:
        axis.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))


def _shade(axis: Axes, results: Results, variant: str) -> None:
    """Every other cycle in grey, and a line where the endings part."""
    own = results.endings.settings[results.endings.first]
    last = results.epochs(variant)
    opens = last - own["tickets"] * own["cycle"]
    for number in range(0, own["tickets"], 2):
        start = opens + number * own["cycle"]
        axis.axvspan(start, start + own["cycle"], color="0.93", linewidth=0)
    axis.axvline(results.start, color="0.4", linewidth=1.2, linestyle=":")
