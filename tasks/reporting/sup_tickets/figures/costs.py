"""Accuracy against what training costs, and against density."""

from collections import Counter

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from tasks.reporting.no_data import NoData
from tasks.reporting.style import (
    add_legend,
    density_axis,
    empty_figure,
    error_bar_note,
    legend_entry,
)
from tasks.reporting.sup_tickets.figures.pairs import GREY
from tasks.reporting.sup_tickets.methods import Method
from tasks.reporting.sup_tickets.results import Results


def flops(results: Results) -> dict[str, Figure]:
    """Test accuracy against the FLOPs of the whole training. One figure per variant."""
    figures = {}
    for variant in results.variants:
        rows = _rows(results, variant)
        title = f"Accuracy against training FLOPs: {results.setting(variant)}"
        chosen = results.trained(rows["method"])
        height = 4.2 + 0.08 * len(chosen)  # the legend grows with them
        figure = empty_figure(height, title, error_bar_note(results.seeds(variant)))
        axis = figure.subplots()
        for method in chosen:
            _draw_method(axis, rows[rows["method"] == method.name], method)
        papers = _draw_paper(axis, results, variant, chosen)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        minor = axis.get_xlim()[1] < 8 * axis.get_xlim()[0]
        axis.xaxis.set_minor_formatter(
            FuncFormatter(lambda value, _: f"{value:g}") if minor else NullFormatter()
        )
        axis.tick_params(axis="x", which="both", length=3.5, pad=3.5)  # labels at one height
        axis.set_xlabel("Training FLOPs (% of the dense network's, log scale)")
        axis.set_ylabel("Test accuracy (%)")
        axis.grid(color="0.9", linewidth=0.8)
        axis.set_axisbelow(True)
        add_legend(figure, axis, [*_fills(results), *papers])
        figures[f"sup-flops-{variant}"] = figure
    return figures


def density(results: Results) -> dict[str, Figure]:
    """Test accuracy against density, of recipes that were trained to several. One figure per
    variant."""
    figures = {}
    for variant in results.variants:
        rows = _rows(results, variant)
        trained = results.trained(rows["method"])
        recipes = Counter(method.recipe for method in trained)
        sparse = [method for method in trained if recipes[method.recipe] > 1]
        if not sparse:
            continue
        title = f"Accuracy against density: {results.setting(variant)}"
        figure = empty_figure(4.6, title, error_bar_note(results.seeds(variant)))
        axis = figure.subplots()
        for recipe in dict.fromkeys(method.recipe for method in sparse):
            _draw_recipe(axis, rows, [m for m in sparse if m.recipe == recipe])
        extra = _fills(results)
        for method in trained:
            if method.density == 1:
                own = rows[(rows["method"] == method.name) & ~rows["sup"]]
                axis.axhline(100 * own["accuracy"].mean(), color="0.5", linestyle=":")
                extra.append(legend_entry("Dense, plain", "0.5", line=":"))
        density_axis(axis, [method.density for method in sparse])
        axis.set_ylabel("Test accuracy (%)")
        add_legend(figure, axis, extra)
        figures[f"sup-density-{variant}"] = figure
    if not figures:
        raise NoData("no variant has a recipe of two densities")
    return figures


def _rows(results: Results, variant: str) -> pd.DataFrame:
    """Test scores of the plain ending and the first."""
    rows, endings = results.scores, results.endings
    rows = rows[(rows["variant"] == variant) & (rows["images"] == "test")]
    return rows[rows["ending"].isin([endings.plain, endings.first])]


def _draw_method(axis: Axes, rows: pd.DataFrame, method: Method) -> None:
    style = method.style
    for sup, fill in ((False, "white"), (True, style.colour)):
        own = rows[rows["sup"] == sup]
        if own.empty:
            continue
        std = own["accuracy"].std()
        axis.errorbar(
            100 * own["train_fraction"].mean(),
            100 * own["accuracy"].mean(),
            yerr=None if std != std else 100 * std,
            color=style.colour,
            marker=style.marker,
            mfc=fill,
            markersize=6.5,
            linestyle="none",
            elinewidth=0.9,
            capsize=2,
            label=method.label if sup or not rows["sup"].any() else None,
        )


def _draw_paper(axis: Axes, results: Results, variant: str, methods: list[Method]) -> list[Line2D]:
    """The paper's numbers of the same methods as grey diamonds; the entries of the legend."""
    published, endings = results.published(variant), results.endings
    found = False
    for method in methods:
        for ending, fill in ((endings.plain, "white"), (endings.first, GREY)):
            row = published.at(method.recipe, method.density, endings.settings[ending])
            row = row.dropna(subset="train_fraction")
            found |= len(row) > 0
            axis.plot(
                100 * row["train_fraction"],
                100 * row["accuracy"],
                color=GREY,
                marker="d",
                mfc=fill,
                linestyle="none",
            )
    if not found:
        return []
    return [legend_entry("The paper's", GREY, "d")]


def _draw_recipe(axis: Axes, rows: pd.DataFrame, methods: list[Method]) -> None:
    """Two lines over the densities of one recipe."""
    style = methods[0].style
    names = [method.name for method in methods]
    for sup, fill, line in ((False, "white", "--"), (True, style.colour, "-")):
        own = rows[rows["method"].isin(names) & (rows["sup"] == sup)]
        means = own.groupby("method", sort=False).agg(
            density=("density", "mean"), mean=("accuracy", "mean"), std=("accuracy", "std")
        )
        means = means.sort_values("density")
        axis.errorbar(
            100 * means["density"],
            100 * means["mean"],
            yerr=None if means["std"].isna().all() else 100 * means["std"].fillna(0),
            color=style.colour,
            marker=style.marker,
            mfc=fill,
            linestyle=line,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2,
            label=methods[0].family if sup else None,
        )


def _fills(results: Results) -> list[Line2D]:
    first = results.endings.first
    return [
        legend_entry("Plain ending", marker="o", hollow=True),
        legend_entry(f"Sup-tickets ({first})", marker="o"),
    ]
