"""How densely each layer is connected, by method, and how that changed in training."""

import pandas as pd
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.style import add_legend, empty_figure, tick_step
from tasks.reporting.sup_tickets.results import Results


def layers(results: Results) -> dict[str, Figure]:
    """Densities at the end of the plain ending and, below them, the change since the first step.

    One figure per variant.
    """
    plain, figures = results.endings.plain, {}
    for variant in results.variants_with("layer_density"):
        rows = results.rows_of("layer_density", variant)
        ended = rows[(rows["ending"] == plain) & (rows["epoch"] == rows["epoch"].max())]
        chosen = [m for m in results.trained(ended["method"]) if m.density < 1]
        if not chosen:
            continue
        order = list(dict.fromkeys(rows["layer"]))  # as the network runs
        note = "means over seeds" if results.seeds(variant) > 1 else ""
        figure = empty_figure(6, f"Densities of layers: {results.setting(variant)}", note)
        above, below = figure.subplots(2, 1, sharex=True)
        for method in chosen:
            first = rows[(rows["epoch"] == 0) & rows["ending"].isna()]
            last, start = (
                100 * _by_layer(part[part["method"] == method.name]).reindex(order)
                for part in (ended, first)
            )
            for axis, values in ((above, last), (below, last - start)):
                axis.plot(
                    range(len(order)),
                    values,
                    color=method.style.colour,
                    marker=method.style.marker,
                    markersize=4.5,
                    label=method.label,
                )
        shown = range(0, len(order), tick_step(len(order), 40))
        names = [order[k].removesuffix(".weight") for k in shown]
        below.set_xticks(list(shown), names, rotation=90, fontsize=8)
        below.set_xlabel("Layer, in the order of the network")
        below.axhline(0, color="black", linewidth=0.8)
        above.set_ylim(bottom=0)
        above.set_ylabel("Density at the end (%)")
        below.set_ylabel("Since the first step (points)")
        for axis in (above, below):
            axis.grid(color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
        add_legend(figure, above)
        figures[f"sup-layers-{variant}"] = figure
    if not figures:
        raise NoData(f"table `layer_density` has no sparse method at the end of ending `{plain}`")
    return figures


def _by_layer(rows: pd.DataFrame) -> "pd.Series[float]":
    return rows.groupby("layer")["density"].mean()
