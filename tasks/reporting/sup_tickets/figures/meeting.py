"""Where the two papers meet: pooling's search over cheap tickets, and a Sup-ticket in a pool."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.style import Style, density_axis, empty_figure, error_bar_note, legend_entry
from tasks.reporting.sup_tickets.figures.pairs import (
    Two,
    draw_gains,
    draw_values,
    gain_entry,
    pair_figure,
    pair_legend,
)
from tasks.reporting.sup_tickets.methods import Method
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.scores import beside


def search(results: Results) -> dict[str, Figure]:
    """Greedy search over the cheap tickets against their average by CIA. One figure per variant."""
    cia, searched = results.endings.searches()[0]
    two = Two("cia", f"CIA ({cia})", f"Greedy search ({searched})")
    every, figures = search_gains(results), {}
    for variant in results.variants:
        rows = every[every["variant"] == variant]
        chosen = results.trained(rows["method"])
        if not chosen:
            continue
        title = f"Greedy search over cheap tickets against CIA: {results.setting(variant)}"
        figure, axes = pair_figure(title, chosen, 2, results.seeds(variant))
        draw_values(axes[0], rows, chosen, two, "accuracy")
        draw_gains(axes[1], rows, chosen)
        axes[0].set_xlabel("Test accuracy (%)")
        axes[1].set_xlabel(f"Gain of the search over {cia} (points)")
        pair_legend(figure, two, [gain_entry()])
        figures[f"sup-search-{variant}"] = figure
    if not figures:
        raise NoData(f"no method has both endings, `{cia}` and `{searched}`")
    return figures


def search_gains(results: Results) -> pd.DataFrame:
    """The search beside CIA on test images, of the first pair of such endings: `scores.beside`.

    Raises NoData where there is no such pair of endings.
    """
    cia, searched = results.endings.searches()[0]
    rows = results.scores.query("images == 'test'")
    return beside(rows[rows["ending"] == searched], rows[rows["ending"] == cia], "cia")


def siblings(results: Results) -> dict[str, Figure]:
    """Pooled tickets of imp-pool without the Sup-ticket among their siblings, and with it. One
    figure per variant."""
    figures = {}
    for variant in results.variants_with("siblings"):
        rows = results.rows_of("siblings", variant, split="test")
        chosen = results.trained(rows["method"])
        if not chosen:
            continue
        pool, ending = rows["pool"].iloc[0], rows["ending"].iloc[0]
        title = f"A Sup-ticket ({ending}) in pool {pool}: {_setting(rows)}"
        figure = empty_figure(4.4, title, error_bar_note(int(rows["seed"].nunique())))
        left, right = figure.subplots(1, 2)
        right.axhline(0, color="black", linewidth=0.9)
        _draw_line(left, rows, "accuracy_without", Style("black", "o", ""), 1)
        shifts = _spread(rows, chosen)
        for place, method in enumerate(chosen):
            own = rows[rows["method"] == method.name]
            shift = 1.02 ** (place - (len(chosen) - 1) / 2)
            _draw_line(left, own, "accuracy_with", method.style, shift * 1.01)
            _draw_changes(right, own, method, shifts)
        for axis in (left, right):
            density_axis(axis, sorted(set(rows.groupby("ticket")["density"].mean())))
        left.set_ylabel("Test accuracy of the pooled ticket (%)")
        right.set_ylabel("Change by the Sup-ticket (points)")
        _legend(figure, chosen)
        figures[f"sup-siblings-{variant}"] = figure
    if not figures:
        raise NoData("table `siblings` has no rows of this run's methods")
    return figures


def _setting(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    return f"{first['model']} on {first['dataset']}, variant {first['variant']}"


def _draw_line(axis: Axes, rows: pd.DataFrame, column: str, style: Style, shift: float) -> None:
    means = rows.groupby("ticket").agg(
        density=("density", "mean"), mean=(column, "mean"), std=(column, "std")
    )
    axis.errorbar(
        100 * means["density"] / shift,
        100 * means["mean"],
        yerr=None if means["std"].isna().all() else 100 * means["std"].fillna(0),
        color=style.colour,
        marker=style.marker,
        markersize=4.5,
        linewidth=1.4,
        elinewidth=0.9,
        capsize=2,
    )


def _spread(rows: pd.DataFrame, methods: list[Method]) -> "pd.Series[float]":
    """What each mark's density is divided by, by method and seed, so that none hides another: a
    mark's width, or less where there is no room for that between two tickets."""
    marks = [(m.name, seed) for m in methods for seed in sorted(rows["seed"].unique())]
    whole = max((rows["density"].max() / rows["density"].min()) ** 1.1, 1.04)  # of the axis
    step = whole ** min(0.025, 0.6 / (rows["ticket"].nunique() * len(marks)))
    shifts = [step ** (place - (len(marks) - 1) / 2) for place in range(len(marks))]
    return pd.Series(shifts, index=pd.MultiIndex.from_tuples(marks))


def _draw_changes(
    axis: Axes, rows: pd.DataFrame, method: Method, shifts: "pd.Series[float]"
) -> None:
    """One mark for each seed: filled where the search accepted the Sup-ticket. shifts: of
    `_spread`."""
    places = 100 * rows["density"] / rows["seed"].map(shifts[method.name])
    taken = rows["accepted"].astype(bool)
    change = 100 * (rows["accuracy_with"] - rows["accuracy_without"])
    for accepted, fill in ((True, method.style.colour), (False, "white")):
        at = taken == accepted
        axis.plot(
            places[at],
            change[at],
            color=method.style.colour,
            marker=method.style.marker,
            mfc=fill,
            linestyle="none",
        )


def _legend(figure: Figure, methods: list[Method]) -> None:
    handles = [legend_entry("Without the Sup-ticket", "black", "o", "-")]
    for method in methods:
        style = method.style
        label = f"With that of {method.label}"
        handles.append(legend_entry(label, style.colour, style.marker, "-"))
    handles.append(legend_entry("Accepted (one seed)", marker="s"))
    handles.append(legend_entry("Not accepted (one seed)", marker="s", hollow=True))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
