"""Accuracy against density (Figure 3), and what changes with one setting of the search (Figures
4–6) or with another recipe."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.reporting.figures import methods
from tasks.reporting.figures.results import Results, spread
from tasks.reporting.figures.style import (
    PLACES,
    TICKET,
    Style,
    bars,
    blank,
    density_axis,
    legend,
    lines,
    styles,
)
from tasks.reporting.summary import by_density, gains


def accuracy(results: Results) -> dict[str, Figure]:
    """Tickets and the main methods, in and out of distribution. One figure per variant."""
    variants, rows = results.having("pools"), by_density(results.frames)
    return {f"accuracy-{v}": _accuracy(results, v, rows[rows["variant"] == v]) for v in variants}


def candidates(results: Results) -> dict[str, Figure]:
    return _setting(results, "candidates", "Number of candidate tickets")


def coefficients(results: Results) -> dict[str, Figure]:
    return _setting(results, "coefficients", "Number of candidate coefficients")


def prune(results: Results) -> dict[str, Figure]:
    return _setting(results, "prune", "When to prune: during the search or after it")


def soups(results: Results) -> dict[str, Figure]:
    """Lottery Pools against the soups, which know no order of tickets and no coefficients."""
    chosen = methods.of_recipe(results, "greedy-soup", "uniform-soup")
    first = methods.first_search(results)
    labels = {"greedy-soup": "Greedy soup", "uniform-soup": "Uniform soup"}
    return _comparison(results, "soups", "Soups", [first, *chosen], labels)


def _setting(results: Results, setting: str, title: str) -> dict[str, Figure]:
    labels = methods.varying(results, setting)
    return _comparison(results, f"ablation-{setting}", title, list(labels), labels)


def _accuracy(results: Results, variant: str, rows: pd.DataFrame) -> Figure:
    seeds = results.seeds(variant)
    drawn = styles(["ticket", *results.main])
    paper = results.paper(variant)
    figure = blank(4.6, f"Accuracy: {results.setting(variant)}", bars(seeds))
    axes = figure.subplots(1, 2)
    dense = rows[(rows["method"] == "ticket") & (rows["ticket"] == 0)]  # if it converged
    for axis, (place, name) in zip(axes, PLACES.items(), strict=True):
        here = rows[rows["place"] == place]
        lines(axis, here, drawn, "method")
        for value in dense[dense["place"] == place]["mean"]:
            axis.axhline(100 * value, color="0.5", linestyle=":")
        if place == "test" and len(paper):
            _hollow(axis, paper[paper["density"] > 0.98 * here["density"].min()], drawn)
        density_axis(axis, list(results.densities(variant)))
        axis.set_ylabel("Accuracy (%)")
        axis.set_title(name.capitalize(), fontsize=10)
    more = []
    if len(dense):
        more.append(Line2D([], [], color="0.5", linestyle=":", label="Dense network"))
    if len(paper):
        label = "Hollow: the paper's numbers"
        more.append(
            Line2D([], [], marker="o", mfc="none", color="0.3", linestyle="none", label=label)
        )
    legend(figure, axes[0], more)
    return figure


def _hollow(axis: Axes, paper: pd.DataFrame, drawn: Mapping[str, Style]) -> None:
    for method, style in drawn.items():
        points = paper[paper["method"] == method]
        axis.plot(
            100 * points["density"],
            100 * points["accuracy"],
            style.marker,
            mfc="none",
            mec=style.colour,
            markersize=6.5,
        )


def _comparison(
    results: Results, name: str, title: str, chosen: list[str], labels: Mapping[str, str]
) -> dict[str, Figure]:
    """Left accuracy, right gain over the unpooled ticket, both on test images. One figure per
    variant."""
    accuracies = by_density(results.frames).query("place == 'test'")
    gained = gains(results.frames).query("place == 'test'")
    drawn = styles(chosen, labels)
    figures = {}
    for variant in results.having("pools"):
        seeds = results.seeds(variant, "pools")
        figure = blank(4.4, f"{title}: {results.setting(variant)}, test images", bars(seeds))
        left, right = figure.subplots(1, 2)
        rows = accuracies[accuracies["variant"] == variant]
        lines(left, rows, {"ticket": TICKET} | drawn, "method")
        left.set_ylabel("Test accuracy (%)")
        points = spread(gained[gained["variant"] == variant], ["method", "ticket"], "gain")
        right.axhline(0, color=TICKET.colour, linewidth=1)
        lines(right, points, drawn, "method")
        right.set_ylabel("Gain over the ticket (points)")
        for axis in (left, right):
            density_axis(axis, list(results.densities(variant)))
        legend(figure, left)
        figures[f"{name}-{variant}"] = figure
    return figures
