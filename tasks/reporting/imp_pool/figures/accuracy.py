"""Accuracy against density (Figure 3), and against one setting of the search (Figures 4–6) or
against the recipe."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tasks.reporting.imp_pool.figures import methods
from tasks.reporting.imp_pool.results import Results, mean_and_std
from tasks.reporting.imp_pool.summary import accuracy_by_density, gains
from tasks.reporting.style import (
    IMAGES,
    TICKET,
    Style,
    add_legend,
    density_axis,
    draw_lines,
    empty_figure,
    error_bar_note,
    styles,
)


def accuracy(results: Results) -> dict[str, Figure]:
    """Tickets and headline methods on test and corrupted images. One figure per variant."""
    variants, rows = results.variants_with("pools"), accuracy_by_density(results.frames)
    return {f"accuracy-{v}": _accuracy(results, v, rows[rows["variant"] == v]) for v in variants}


def candidates(results: Results) -> dict[str, Figure]:
    """Searches that draw on more or fewer siblings (Figure 4). One figure per variant."""
    return _ablation(results, "candidates", "Number of candidate tickets")


def coefficients(results: Results) -> dict[str, Figure]:
    """Searches that try more or fewer coefficients (Figure 5). One figure per variant."""
    return _ablation(results, "coefficients", "Number of candidate coefficients")


def prune(results: Results) -> dict[str, Figure]:
    """Searches that prune during or after (Figure 6). One figure per variant."""
    return _ablation(results, "prune", "When to prune: during the search or after it")


def soups(results: Results) -> dict[str, Figure]:
    """Lottery Pools against the soups, which know no order of tickets and no coefficients."""
    chosen = methods.of_recipe(results, "greedy-soup", "uniform-soup")
    first = methods.first_search(results)
    labels = {"greedy-soup": "Greedy soup", "uniform-soup": "Uniform soup"}
    return _comparison(results, "soups", "Soups", [first, *chosen], labels)


def _ablation(results: Results, setting: str, title: str) -> dict[str, Figure]:
    labels = methods.varying(results, setting)
    return _comparison(results, f"ablation-{setting}", title, list(labels), labels)


def _accuracy(results: Results, variant: str, rows: pd.DataFrame) -> Figure:
    seeds = results.seeds(variant)
    drawn = styles(["ticket", *results.headline_methods])
    paper = results.published_rows(variant)
    figure = empty_figure(4.6, f"Accuracy: {results.setting(variant)}", error_bar_note(seeds))
    axes = figure.subplots(1, 2)
    dense = rows[(rows["method"] == "ticket") & (rows["ticket"] == 0)]  # if it converged
    for axis, (images, name) in zip(axes, IMAGES.items(), strict=True):
        measured = rows[rows["images"] == images]
        draw_lines(axis, measured, drawn, "method")
        for value in dense[dense["images"] == images]["mean"]:
            axis.axhline(100 * value, color="0.5", linestyle=":")
        if images == "test" and len(paper):
            _draw_hollow(axis, paper[paper["density"] > 0.98 * measured["density"].min()], drawn)
        density_axis(axis, list(results.densities(variant)))
        axis.set_ylabel("Accuracy (%)")
        axis.set_title(name.capitalize(), fontsize=10)
    extra = []
    if len(dense):
        extra.append(Line2D([], [], color="0.5", linestyle=":", label="Dense network"))
    if len(paper):
        label = "Hollow: the paper's numbers"
        extra.append(
            Line2D([], [], marker="o", mfc="none", color="0.3", linestyle="none", label=label)
        )
    add_legend(figure, axes[0], extra)
    return figure


def _draw_hollow(axis: Axes, paper: pd.DataFrame, drawn: Mapping[str, Style]) -> None:
    """The paper's accuracies as hollow markers in the methods' colours."""
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
    """Accuracy on the left, gain over the unpooled ticket on the right, both on test images. One
    figure per variant."""
    accuracies = accuracy_by_density(results.frames).query("images == 'test'")
    gained = gains(results.frames).query("images == 'test'")
    drawn = styles(chosen, labels)
    figures = {}
    for variant in results.variants_with("pools"):
        seeds = results.seeds(variant, "pools")
        figure = empty_figure(
            4.4, f"{title}: {results.setting(variant)}, test images", error_bar_note(seeds)
        )
        left, right = figure.subplots(1, 2)
        rows = accuracies[accuracies["variant"] == variant]
        draw_lines(left, rows, {"ticket": TICKET} | drawn, "method")
        left.set_ylabel("Test accuracy (%)")
        points = mean_and_std(gained[gained["variant"] == variant], ["method", "ticket"], "gain")
        right.axhline(0, color=TICKET.colour, linewidth=1)
        draw_lines(right, points, drawn, "method")
        right.set_ylabel("Gain over the ticket (points)")
        for axis in (left, right):
            density_axis(axis, list(results.densities(variant)))
        add_legend(figure, left)
        figures[f"{name}-{variant}"] = figure
    return figures
