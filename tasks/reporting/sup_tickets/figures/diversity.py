"""How differently networks predict: cheap tickets, seeds, efficient ensembles (Table 6)."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.style import Style, empty_figure, error_bar_note, legend_entry
from tasks.reporting.sup_tickets.figures.pairs import GREY
from tasks.reporting.sup_tickets.results import Results

_EFFICIENT = {"tree-net": "TreeNet", "batch-ensemble": "BatchEnsemble"}
_MEASURES = {
    "disagreement": ("Disagreement (% of test images)", 100),
    "kl": ("KL divergence (nats)", 1),
}


@dataclass(frozen=True)
class Group:
    """Networks compared with one another. rows: of `diversity`. paper: the printed numbers."""

    label: str
    style: Style
    rows: pd.DataFrame
    paper: pd.DataFrame


def diversity(results: Results) -> dict[str, Figure]:
    """Disagreement and divergence by group, mean over pairs. One figure per variant."""
    figures = {}
    for variant in results.variants_with("diversity"):
        groups = groups_of(results, variant)
        if not groups:
            continue
        title = f"Diversity: {results.setting(variant)}"
        note = error_bar_note(results.seeds(variant))
        figure = empty_figure(1.8 + 0.36 * len(groups), title, note)
        axes = figure.subplots(1, 2, sharey=True)
        axes[0].set_yticks(range(len(groups)), [group.label for group in groups])
        axes[0].set_ylim(len(groups) - 0.5, -0.5)
        for axis, (column, (label, scale)) in zip(axes, _MEASURES.items(), strict=True):
            for place, group in enumerate(groups):
                by_seed = scale * group.rows.groupby("seed")[column].mean()
                # Of several seeds, each pair is in the rows of both: no independent numbers.
                alone = len(by_seed) < 2 or (group.rows["kind"] == "seeds").all()
                axis.errorbar(
                    by_seed.mean(),
                    place,
                    xerr=None if alone else by_seed.std(),
                    color=group.style.colour,
                    marker=group.style.marker,
                    elinewidth=0.9,
                    capsize=2,
                )
                printed = scale * group.paper[column]
                places = [place + 0.2] * len(printed)
                axis.plot(printed, places, color=GREY, marker="d", linestyle="none")
            axis.set_xlabel(label)
            axis.set_xlim(left=0)
            axis.grid(axis="x", color="0.9", linewidth=0.8)
            axis.set_axisbelow(True)
            axis.tick_params(axis="y", length=0)
        if any(len(group.paper) for group in groups):
            printed = legend_entry("The paper's", GREY, "d")
            figure.legend(handles=[printed], loc="outside lower center", frameon=False)
        figures[f"sup-diversity-{variant}"] = figure
    if not figures:
        raise NoData("table `diversity` has no group of this run's endings")
    return figures


def groups_of(results: Results, variant: str) -> list[Group]:
    """The groups that have rows: cheap tickets of the first ending, plain endings over seeds,
    efficient ensembles."""
    rows, paper = results.rows_of("diversity", variant), results.published(variant).diversity
    groups = []
    for method in results.methods.values():
        of_method = rows[rows["method"] == method.name]
        printed = paper[paper["method"] == method.recipe]
        for kind, ending, what in (
            ("cheap", results.endings.sup[:1], "cheap tickets"),
            ("seeds", list(results.endings.settings), "other seeds"),
        ):
            own = of_method[(of_method["kind"] == kind) & of_method["ending"].isin(ending)]
            # The paper's cheap tickets have a density that it does not name.
            beside = printed[printed["kind"] == kind]
            if len(own):
                groups.append(Group(f"{method.label}: {what}", method.style, own, beside))
    for kind, label in _EFFICIENT.items():
        own = rows[rows["kind"] == kind]
        if len(own):
            beside = paper[paper["kind"] == kind]
            groups.append(Group(label, Style("0.25", "D", label), own, beside))
    return groups
