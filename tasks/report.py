"""Stage `report`: the figures, drawn from the tables."""

from argparse import Namespace
from typing import Any

import matplotlib as mpl
import pandas as pd
import pyarrow.parquet as pq
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from lp_core.files import replacing
from tasks import paths
from tasks.stage import run
from tasks.summary import by_density

# Okabe and Ito's colours, told apart by people with any colour vision; one order everywhere.
_STYLES = {
    "ticket": ("#000000", "o", "Tickets (unpooled)"),
    "interpolation": ("#0072B2", "s", "Lottery Pools (Interpolation)"),
    "average": ("#56B4E9", "D", "Lottery Pools (Average)"),
    "swa": ("#D55E00", "^", "SWA"),
    "ema": ("#E69F00", "v", "EMA"),
}
_MORE = ["#009E73", "#CC79A7", "#F0E442"]
_PLACES = {"test": "Test images", "corrupted": "Corrupted images"}


def main(_: Namespace) -> None:
    """Accuracy against density, in and out of distribution, one figure for each variant."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "lottery-pools"  # equal figures are equal files
    names = ("tickets", "pools", "ood")
    frames = {name: pq.read_table(paths.RESULTS / f"{name}.parquet").to_pandas() for name in names}
    accuracy = by_density(frames)
    tickets = frames["tickets"]
    for variant, rows in accuracy.groupby("variant", sort=False):
        one = tickets[tickets["variant"] == variant].iloc[0]
        title = f"{one['model']} on {one['dataset']}, variant {variant}"
        figure = accuracy_figure(rows, title, tickets["seed"].nunique())
        path = paths.RESULTS / "figures" / f"accuracy-{variant}.svg"
        for file in (path, path.with_suffix(".png")):
            with replacing(file) as temporary:
                # No date in the file: the same numbers give the same bytes.
                about = {"Date": None} if file.suffix == ".svg" else {"Software": None}
                figure.savefig(temporary, format=file.suffix[1:], dpi=150, metadata=about)
        plt.close(figure)


def accuracy_figure(rows: pd.DataFrame, title: str, seeds: int) -> Any:
    """rows: of `by_density`, one variant. Left: test images; right: corrupted ones."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    extra = iter(_MORE * 10)
    groups = list(rows.groupby("method", sort=False))
    for place_in_row, (method, points) in enumerate(groups):
        # Side by side, or the bars of five methods would hide each other.
        aside = 1.015 ** (place_in_row - (len(groups) - 1) / 2)
        default = (next(extra), "x", method) if method not in _STYLES else _STYLES[str(method)]
        colour, marker, label = default
        for axis, place in zip(axes, _PLACES, strict=True):
            here = points[points["place"] == place].sort_values("density")
            axis.errorbar(
                100 * here["density"] / aside,
                100 * here["mean"],
                yerr=None if seeds == 1 else 100 * here["std"],
                color=colour,
                marker=marker,
                markersize=4.5,
                linewidth=1.4,
                capsize=2,
                label=label,
            )
    for axis, (place, name) in zip(axes, _PLACES.items(), strict=True):
        dense = rows[(rows["method"] == "ticket") & (rows["place"] == place)].nlargest(1, "density")
        axis.axhline(100 * dense["mean"].iloc[0], color="0.6", linestyle=":", label="Dense network")
        axis.set_xscale("log")
        axis.invert_xaxis()
        ticks = sorted({round(100 * d, 1) for d in rows["density"]}, reverse=True)
        axis.set_xticks(ticks[:: max(1, len(ticks) // 8)])
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("Density (% of prunable weights kept, log scale)")
        axis.set_ylabel("Accuracy (%)")
        axis.set_title(name)
        axis.grid(color="0.9")
    bars = f"; bars: ± 1 standard deviation over {seeds} seeds" if seeds > 1 else ""
    figure.suptitle(title + bars, fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


if __name__ == "__main__":
    run(main)
