"""Pooling against averaging outputs: what each gets, and what each costs (Figure 7)."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.figures.results import Results, spread
from tasks.reporting.figures.style import TICKET, Style, bars, blank, density_axis, legend, lines

_DRAWN = {
    "ticket": TICKET,
    "pool": Style("#0072B2", "s", "Pooled"),
    "ensemble": Style("#CC79A7", "X", "Output ensemble of the same tickets"),
}


def ensembles(results: Results) -> dict[str, Figure]:
    """Accuracy on the left, FLOPs and forward passes on the right. One figure per variant."""
    return {f"ensembles-{v}": _draw(results, v) for v in results.having("ensembles")}


def _draw(results: Results, variant: str) -> Figure:
    rows = results.of("ensembles", variant)
    alone = results.of("tickets", variant, split="test")
    title = f"Pooling against an output ensemble: {results.setting(variant)}"
    figure = blank(4.4, title, bars(results.seeds(variant, "ensembles")))
    left, right = figure.subplots(1, 2)
    siblings = "–".join(str(count - 1) for count in _ends(rows["members"]))
    pooled = replace(_DRAWN["pool"], label=f"Pooled with its {siblings} nearest")
    drawn = _DRAWN | {"pool": pooled}
    kinds = {
        "ticket": (alone, "accuracy", "flops"),
        "pool": (rows, "accuracy_pool", "flops_pool"),
        "ensemble": (rows, "accuracy_ensemble", "flops_ensemble"),
    }
    for axis, column, scale in ((left, 1, 100), (right, 2, 1)):
        parts = [
            spread(of[0], ["ticket"], str(of[column])).assign(kind=kind)
            for kind, of in kinds.items()
        ]
        lines(axis, pd.concat(parts), drawn, "kind", scale)
        density_axis(axis, list(results.densities(variant)))
    left.set_ylabel("Test accuracy (%)")
    right.set_ylabel("Cost (FLOPs per image, log scale)")
    right.set_yscale("log")
    _passes(right, rows)
    legend(figure, left)
    return figure


def _ends(members: "pd.Series[int]") -> list[int]:
    """The least and the most, or the one that there is."""
    return sorted({int(members.min()), int(members.max())})


def _passes(axis: Axes, rows: pd.DataFrame) -> None:
    """Write on both lines how many forward passes each image takes."""
    for column, count, colour, above in (
        ("flops_ensemble", _ends(rows["members"]), _DRAWN["ensemble"].colour, True),
        ("flops_pool", [1], _DRAWN["pool"].colour, False),
    ):
        points = spread(rows, ["ticket"], column).sort_values("density")
        middle = points.iloc[len(points) // 2]
        many = "–".join(str(number) for number in count)
        axis.annotate(
            f"{many} forward pass{'' if count == [1] else 'es'}",
            (100 * middle["density"], middle["mean"]),
            xytext=(0, 9 if above else -9),
            textcoords="offset points",
            ha="left" if above else "right",
            va="bottom" if above else "top",
            color=colour,
        )
