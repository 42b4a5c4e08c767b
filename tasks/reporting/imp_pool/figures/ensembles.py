"""Pooling against averaging outputs: what each gets, and what each costs (Figure 7)."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.imp_pool.results import Results, mean_and_std
from tasks.reporting.style import (
    TICKET,
    Style,
    add_legend,
    density_axis,
    draw_lines,
    empty_figure,
    error_bar_note,
)

_DRAWN = {
    "ticket": TICKET,
    "pool": Style("#0072B2", "s", "Pooled"),
    "ensemble": Style("#CC79A7", "X", "Output ensemble of the same tickets"),
}


def ensembles(results: Results) -> dict[str, Figure]:
    """Accuracy on the left, FLOPs and forward passes on the right. One figure per variant."""
    return {f"ensembles-{v}": _draw(results, v) for v in results.variants_with("ensembles")}


def _draw(results: Results, variant: str) -> Figure:
    rows = results.rows_of("ensembles", variant)
    unpooled = results.rows_of("tickets", variant, split="test")
    title = f"Pooling against an output ensemble: {results.setting(variant)}"
    figure = empty_figure(4.4, title, error_bar_note(results.seeds(variant, "ensembles")))
    left, right = figure.subplots(1, 2)
    siblings = "–".join(str(count - 1) for count in _least_and_most(rows["members"]))
    pooled = replace(_DRAWN["pool"], label=f"Pooled with its {siblings} nearest")
    drawn = _DRAWN | {"pool": pooled}
    kinds = {
        "ticket": (unpooled, "accuracy", "flops"),
        "pool": (rows, "accuracy_pool", "flops_pool"),
        "ensemble": (rows, "accuracy_ensemble", "flops_ensemble"),
    }
    for axis, column, scale in ((left, 1, 100), (right, 2, 1)):
        parts = [
            mean_and_std(source[0], ["ticket"], str(source[column])).assign(kind=kind)
            for kind, source in kinds.items()
        ]
        draw_lines(axis, pd.concat(parts), drawn, "kind", scale)
        density_axis(axis, list(results.densities(variant)))
    left.set_ylabel("Test accuracy (%)")
    right.set_ylabel("Cost (FLOPs per image, log scale)")
    right.set_yscale("log")
    _write_passes(right, rows)
    add_legend(figure, left)
    return figure


def _least_and_most(members: "pd.Series[int]") -> list[int]:
    """The least and the most members; one number if all have as many."""
    return sorted({int(members.min()), int(members.max())})


def _write_passes(axis: Axes, rows: pd.DataFrame) -> None:
    """Write on both lines how many forward passes each image takes."""
    for column, count, colour, above in (
        ("flops_ensemble", _least_and_most(rows["members"]), _DRAWN["ensemble"].colour, True),
        ("flops_pool", [1], _DRAWN["pool"].colour, False),
    ):
        points = mean_and_std(rows, ["ticket"], column).sort_values("density")
        middle = points.iloc[len(points) // 2]
        passes = "–".join(str(number) for number in count)
        axis.annotate(
            f"{passes} forward pass{'' if count == [1] else 'es'}",
            (100 * middle["density"], middle["mean"]),
            xytext=(0, 9 if above else -9),
            textcoords="offset points",
            ha="left" if above else "right",
            va="bottom" if above else "top",
            color=colour,
        )
