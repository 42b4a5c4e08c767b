"""Which corruptions pooling helps against: by corruption, and by family and severity."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lp_core.corruptions.names import FAMILIES
from tasks.reporting.cells import draw_cells
from tasks.reporting.imp_pool.results import Results
from tasks.reporting.no_data import NoData
from tasks.reporting.style import empty_figure, error_bar_note, styles

_COLOURS = {
    "noise": ("#0072B2", ""),
    "blur": ("#E69F00", "//"),
    "weather": ("#009E73", "xx"),
    "digital": ("#CC79A7", ".."),
}


def corruptions(results: Results) -> dict[str, Figure]:
    """Gain in accuracy of the first headline method, mean over tickets. One figure per variant."""
    figures = {}
    for variant in results.variants_with("pools"):
        method = results.headline_methods[0]
        gained = corrupted_gains(results, variant, method)
        label = styles([method])[method].label
        note = "; ".join(
            part
            for part in ("mean over tickets", error_bar_note(results.seeds(variant, "ood")))
            if part
        )
        title = f"Gain of {label} by corruption: {results.setting(variant)}"
        figure = empty_figure(5.6, title, note)
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
        _draw_sorted(left, gained)
        _draw_severities(figure, right, gained)
        families = [f for f in _COLOURS if f in set(gained["family"])]
        handles = [
            Patch(facecolor=_COLOURS[f][0], hatch=_COLOURS[f][1], edgecolor="white", label=f)
            for f in families
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
        figures[f"corruptions-{variant}"] = figure
    return figures


def corrupted_gains(results: Results, variant: str, method: str) -> pd.DataFrame:
    """A gain over the unpooled ticket of the same seed for each corruption and severity.

    Columns seed, ticket, corruption, family, severity, gain (fraction).
    """
    keys = ["seed", "ticket", "corruption", "severity"]
    rows = results.rows_of("ood", variant)
    pooled, unpooled = rows[rows["method"] == method], rows[rows["method"] == "ticket"]
    both = pooled.merge(unpooled[[*keys, "accuracy"]], on=keys, suffixes=("", "_ticket"))
    family = both["corruption"].map(FAMILIES)
    gain = both["accuracy"] - both["accuracy_ticket"]
    if gain.isna().all():
        raise NoData(f"table `ood` has no accuracy of method {method} beside its tickets'")
    return both.assign(family=family, gain=gain)[[*keys, "family", "gain"]]


def _draw_sorted(axis: Axes, gained: pd.DataFrame) -> None:
    by_seed = gained.groupby(["corruption", "family", "seed"], as_index=False)["gain"].mean()
    gains = by_seed.groupby(["corruption", "family"])["gain"].agg(["mean", "std"]).reset_index()
    gains = gains.sort_values(["mean", "corruption"])
    axis.barh(
        [str(name).replace("_", " ") for name in gains["corruption"]],
        100 * gains["mean"],
        xerr=None if gains["std"].isna().all() else 100 * gains["std"].fillna(0),
        color=[_COLOURS[f][0] for f in gains["family"]],
        hatch=[_COLOURS[f][1] for f in gains["family"]],
        edgecolor="white",
        error_kw={"elinewidth": 0.9, "capsize": 2},
    )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_xlabel("Gain in accuracy (points)")
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    axis.margins(y=0.01)


def _draw_severities(figure: Figure, axis: Axes, gained: pd.DataFrame) -> None:
    wide = 100 * gained.pivot_table(index="family", columns="severity", values="gain")
    wide = wide.reindex([f for f in _COLOURS if f in wide.index])
    limit = max(float(np.nan_to_num(wide.abs().to_numpy()).max()), 0.1)
    scale = ScalarMappable(Normalize(-limit, limit), "RdBu")
    draw_cells(axis, wide.to_numpy(), scale, "{:+.2f}", 9)
    axis.set_xticks(np.arange(len(wide.columns)) + 0.5, [str(s) for s in wide.columns])
    axis.set_yticks(np.arange(len(wide)) + 0.5, list(wide.index))
    axis.set_xlabel("Severity")
    axis.set_title("By family and severity", fontsize=10)
    bar = figure.colorbar(scale, ax=axis, orientation="horizontal")
    bar.set_label("Gain in accuracy (points)")
