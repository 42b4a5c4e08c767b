"""Endings that differ from the first in one setting, on the methods that got them."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tasks.reporting.no_data import NoData
from tasks.reporting.style import add_legend, empty_figure, error_bar_note, legend_entry
from tasks.reporting.sup_tickets.figures.pairs import GREY
from tasks.reporting.sup_tickets.methods import Method
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.scores import paired


def averages(results: Results) -> dict[str, Figure]:
    """Ways to average the cheap tickets (Figure 3)."""
    return _compared(results, "averages", "Averaging", results.endings.averages())


def cycles(results: Results) -> dict[str, Figure]:
    """Lengths of the cycle (Table 5)."""
    return _compared(results, "cycle-length", "Length of a cycle", results.endings.cycles(), True)


def schedules(results: Results) -> dict[str, Figure]:
    """Learning rates in a cycle (Table 7)."""
    return _compared(results, "schedules", "Learning rate", results.endings.schedules(), True)


def batch_norms(results: Results) -> dict[str, Figure]:
    """Where batch norm's statistics come from."""
    return _compared(results, "batch-norm", "Batch norm", results.endings.batch_norms())


def explorations(results: Results) -> dict[str, Figure]:
    """How many weights the exploration exchanges that opens a cycle."""
    return _compared(results, "exploration", "Exploration", results.endings.explorations())


def numbers(results: Results) -> dict[str, Figure]:
    """How many cheap tickets (Figure 4): of the superposed one, and by themselves."""
    counts = results.endings.numbers()
    figures = {}
    for variant in results.variants:
        rows = _rows(results, variant, list(counts))
        chosen = _compared_on(results, rows)
        if not chosen:
            continue
        title = f"Number of cheap tickets: {results.setting(variant)}"
        figure = empty_figure(4.2, title, error_bar_note(results.seeds(variant)))
        left, right = figure.subplots(1, 2)
        cheap = results.rows_of("cheap_tickets", variant, ending=list(counts), split="test")
        own = cheap.groupby(["method", "ending", "seed"], as_index=False)["accuracy"].mean()
        for method in chosen:
            _draw_numbers(left, rows[rows["method"] == method.name], method, counts)
            _draw_numbers(right, own[own["method"] == method.name], method, counts)
            plain = 100 * rows.loc[rows["method"] == method.name, "accuracy_plain"].mean()
            left.axhline(plain, color=method.style.colour, linestyle=":")
        for axis, what in ((left, "Superposed"), (right, "Cheap tickets by themselves, mean")):
            axis.set_title(what, fontsize=10)
            axis.set_ylabel("Test accuracy (%)")
            axis.set_xlabel("Cheap tickets")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.grid(color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
        dotted = legend_entry("Plain ending", "0.3", line=":")
        add_legend(figure, left, [dotted])
        figures[f"sup-numbers-{variant}"] = figure
    return _or_reason(figures)


def _compared(
    results: Results, name: str, title: str, labels: Mapping[str, str], printed: bool = False
) -> dict[str, Figure]:
    """Accuracy on the left, gain over the plain ending on the right. One figure per variant.

    printed: whether the paper prints numbers of these.
    """
    figures = {}
    for variant in results.variants:
        rows = _rows(results, variant, list(labels))
        shown = [ending for ending in labels if ending in set(rows["ending"])]
        chosen = _compared_on(results, rows)
        if not chosen:
            continue
        whole = f"{title}: {results.setting(variant)}"
        height = 1.9 + (0.25 + 0.2 * len(chosen)) * len(shown)
        figure = empty_figure(height, whole, error_bar_note(results.seeds(variant)))
        left, right = figure.subplots(1, 2, sharey=True)
        left.set_yticks(range(len(shown)), [labels[ending] for ending in shown])
        left.set_ylim(len(shown) - 0.5, -0.5)
        right.axvline(0, color="black", linewidth=0.9)
        paper: list[Line2D] = []
        for place, method in enumerate(chosen):
            shift = 0.2 * (place - (len(chosen) - 1) / 2)
            own = rows[rows["method"] == method.name]
            left.axvline(100 * own["accuracy_plain"].mean(), color=method.style.colour, ls=":")
            for row, ending in enumerate(shown):
                at = own[own["ending"] == ending]
                label = method.label if not row else None
                _draw_mean(left, 100 * at["accuracy"], row + shift, method, label)
                _draw_mean(right, 100 * at["gain"], row + shift, method, None)
                right.plot(
                    100 * at["gain"],
                    [row + shift] * len(at),
                    linestyle="none",
                    marker=".",
                    color=method.style.colour,
                    alpha=0.5,
                )
            if printed:
                places = {ending: row + shift + 0.12 for row, ending in enumerate(shown)}
                paper = _draw_paper(left, results, variant, method, places) or paper
        for axis in (left, right):
            axis.grid(axis="x", color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
            axis.tick_params(axis="y", length=0)
        left.set_xlabel("Test accuracy (%)")
        right.set_xlabel("Gain over the plain ending (points)")
        dotted = legend_entry("Plain ending", "0.3", line=":")
        add_legend(figure, left, [dotted, *paper])
        figures[f"sup-{name}-{variant}"] = figure
    return _or_reason(figures)


def _or_reason(figures: dict[str, Figure]) -> dict[str, Figure]:
    if not figures:
        raise NoData("no method has a plain ending and two of these beside it")
    return figures


def _rows(results: Results, variant: str, endings: list[str]) -> pd.DataFrame:
    """Test scores of these endings beside the plain ones."""
    rows = paired(results.scores)
    rows = rows[(rows["variant"] == variant) & (rows["images"] == "test")]
    return rows[rows["ending"].isin(endings)]


def _compared_on(results: Results, rows: pd.DataFrame) -> list[Method]:
    """The methods that have two of these endings."""
    several = rows.groupby("method")["ending"].nunique()
    return results.trained(several[several > 1].index.to_series())


def _draw_mean(
    axis: Axes, values: "pd.Series[float]", place: float, method: Method, label: str | None
) -> None:
    std = values.std()
    axis.errorbar(
        values.mean(),
        place,
        xerr=None if std != std else std,
        color=method.style.colour,
        marker=method.style.marker,
        markersize=6,
        elinewidth=0.9,
        capsize=2,
        linestyle="none",
        label=label,
    )


def _draw_numbers(
    axis: Axes, rows: pd.DataFrame, method: Method, counts: Mapping[str, int]
) -> None:
    means = 100 * rows.groupby("ending")["accuracy"].agg(["mean", "std"])
    means = means.loc[[ending for ending in counts if ending in means.index]]
    axis.errorbar(
        [counts[str(ending)] for ending in means.index],
        means["mean"],
        yerr=None if means["std"].isna().all() else means["std"].fillna(0),
        color=method.style.colour,
        marker=method.style.marker,
        elinewidth=0.9,
        capsize=2,
        label=method.label,
    )


def _draw_paper(
    axis: Axes, results: Results, variant: str, method: Method, places: Mapping[str, float]
) -> list[Line2D]:
    """The paper's accuracies with each ending, at its place; the entry of the legend, if any."""
    published, found = results.published(variant), False
    for ending, place in places.items():
        own = results.endings.settings[ending]
        rows = published.at(method.recipe, method.density, own)
        found |= len(rows) > 0
        at = [place] * len(rows)
        axis.plot(100 * rows["accuracy"], at, color=GREY, marker="d", linestyle="none")
    return [legend_entry("The paper's", GREY, "d")] if found else []
