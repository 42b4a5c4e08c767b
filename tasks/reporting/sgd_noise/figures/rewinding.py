"""The search for the first stable epoch (Table 15)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures.facets import (
    draw_threshold,
    facet_figure,
    threshold_entry,
)
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import Style, legend_entry

_COLOUR = "#0072B2"  # one for all: a search begins at the initialisation, whatever rewind.epochs


def stable_rewind(results: Results) -> dict[str, Figure]:
    """Held-out barrier at every epoch that the search probed, and the epoch that it found."""
    rows = results.rows_of("rewind_probes")
    variants = [name for name in results.grid if name in set(rows["variant"])]
    if not variants:
        raise NoData("`sgd_noise.stable_rewind.variants` is empty")
    found = results.rows_of("stable_rewind")
    found = found[found["epoch"] < found["epochs"]]  # the others are stable at no epoch

    def draw(axis: Axes, variant: str, _: Style) -> None:
        own = rows[rows["variant"] == variant]
        for _, of_seed in own.groupby("seed"):
            line = of_seed.sort_values("epoch").dropna(subset="error_barrier")
            _draw(axis, line)
        lost = own[own["error_barrier"].isna()]
        axis.plot(lost["epoch"], [0] * len(lost), "x", color=_COLOUR, markersize=6)
        for epoch in found[found["variant"] == variant]["epoch"]:
            axis.axvline(epoch, color=_COLOUR, linewidth=1.1, linestyle=":")

    def finish(axis: Axes) -> None:
        draw_threshold(axis, results.threshold)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    legend = [threshold_entry(results.threshold)]
    if len(found):
        legend.append(legend_entry("First stable epoch, by seed", _COLOUR, line=":"))
    figure = facet_figure(
        results,
        variants,
        f"The search for the first stable epoch: {results.setting}",
        "a line for each seed; hollow: unstable; ×: a fork diverged",
        ("Epoch at which trainings fork", "Held-out barrier (points)"),
        draw,
        finish=finish,
        legend=legend,
        lines=False,
    )
    return {"sgd-stable-rewind": figure}


def _draw(axis: Axes, line: pd.DataFrame) -> None:
    heights = 100 * line["error_barrier"]
    axis.plot(line["epoch"], heights, "-", color=_COLOUR, linewidth=1.0)
    for stable, fill in ((True, _COLOUR), (False, "white")):
        chosen = line["stable"].astype(bool) == stable
        axis.plot(
            line["epoch"][chosen],
            heights[chosen],
            "o",
            color=_COLOUR,
            mfc=fill,
            markersize=4.5,
        )
