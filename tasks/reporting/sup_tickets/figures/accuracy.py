"""Plain endings against Sup-tickets: accuracy, calibration, corrupted images."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.style import legend_entry
from tasks.reporting.sup_tickets.figures.pairs import (
    GREY,
    Two,
    draw_gains,
    draw_values,
    gain_entry,
    pair_figure,
    pair_legend,
)
from tasks.reporting.sup_tickets.methods import Method
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.scores import paired

_SCORES = {"ece": ("Calibration error (points)", 100), "nll": ("NLL (nats)", 1)}


def accuracy(results: Results) -> dict[str, Figure]:
    """Test accuracy and gain by method, the paper's beside. One figure per variant."""
    figures = {}
    for variant in results.variants:
        rows = _pairs(results, variant, "test")
        figure, axes = _accuracy(results, variant, rows, "Test accuracy")
        extra = [gain_entry()]
        if _draw_paper(axes[0], results, variant, results.trained(rows["method"])):
            extra += [
                legend_entry("The paper's, plain", GREY, "d", hollow=True),
                legend_entry("The paper's, Sup-tickets", GREY, "d"),
            ]
        pair_legend(figure, _two(results), extra)
        figures[f"sup-accuracy-{variant}"] = figure
    return figures


def corrupted(results: Results) -> dict[str, Figure]:
    """Accuracy on corrupted images and gain by method. One figure per variant."""
    figures = {}
    for variant in results.variants_with("ood"):
        rows = _pairs(results, variant, "corrupted")
        figure, _ = _accuracy(results, variant, rows, "Accuracy on corrupted images")
        pair_legend(figure, _two(results), [gain_entry()])
        figures[f"sup-corrupted-{variant}"] = figure
    return figures


def uncertainty(results: Results) -> dict[str, Figure]:
    """Calibration error and negative log-likelihood on test images. One figure per variant."""
    figures = {}
    for variant in results.variants:
        rows = _pairs(results, variant, "test")
        chosen = results.trained(rows["method"])
        title = f"Uncertainty: {results.setting(variant)}"
        figure, axes = pair_figure(title, chosen, 2, results.seeds(variant))
        for axis, (column, (label, scale)) in zip(axes, _SCORES.items(), strict=True):
            draw_values(axis, rows, chosen, _two(results), column, scale)
            axis.set_xlabel(label)
        pair_legend(figure, _two(results))
        figures[f"sup-uncertainty-{variant}"] = figure
    return figures


def _pairs(results: Results, variant: str, images: str) -> pd.DataFrame:
    """The first ending beside the plain one. Raises NoData where there is no such pair."""
    first, rows = results.endings.first, paired(results.scores)
    rows = rows[(rows["variant"] == variant) & (rows["images"] == images)]
    rows = rows[rows["ending"] == first]
    if rows.empty:
        raise NoData(
            f"variant {variant} has no method with both endings, `{results.endings.plain}` and "
            f"`{first}`, on {images} images"
        )
    return rows


def _two(results: Results) -> Two:
    return Two("plain", "Plain ending", f"Sup-tickets ({results.endings.first})")


def _accuracy(
    results: Results, variant: str, rows: pd.DataFrame, measured: str
) -> tuple[Figure, list[Axes]]:
    """Accuracies on the left, gains on the right."""
    chosen = results.trained(rows["method"])
    title = f"{measured}: {results.setting(variant)}"
    figure, axes = pair_figure(title, chosen, 2, results.seeds(variant))
    draw_values(axes[0], rows, chosen, _two(results), "accuracy")
    draw_gains(axes[1], rows, chosen)
    axes[0].set_xlabel(f"{measured} (%)")
    axes[1].set_xlabel("Gain over the plain ending of the same prefix (points)")
    return figure, axes


def _draw_paper(axis: Axes, results: Results, variant: str, methods: list[Method]) -> bool:
    """The paper's numbers as grey diamonds; whether it has any of this setting."""
    published, endings = results.published(variant), results.endings
    looks = ((endings.plain, -0.13, "white"), (endings.first, 0.13, GREY))
    found = False
    for place, method in enumerate(methods):
        for ending, shift, fill in looks:
            row = published.at(method.recipe, method.density, endings.settings[ending])
            found |= len(row) > 0
            places = [place + shift] * len(row)
            axis.plot(
                100 * row["accuracy"],
                places,
                color=GREY,
                marker="d",
                mfc=fill,
                markersize=5,
                linestyle="none",
            )
    return found
