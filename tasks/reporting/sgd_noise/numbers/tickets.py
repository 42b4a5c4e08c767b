"""Tables of tickets: accuracy by density, crossed searches, and uses of untrained ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.reporting.part import Table
from tasks.reporting.sgd_noise.correlations import (
    PREDICTORS,
    bootstrap,
    correlations,
    pooled_methods,
    signed,
)
from tasks.reporting.sgd_noise.figures.crossed import is_aimp
from tasks.reporting.sgd_noise.measures import accuracies, crossed_accuracies
from tasks.reporting.sgd_noise.numbers.cells import SETTING, over, setting_cells, spread, written
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import percent

_MOST = 8  # densities or blocks that are columns
WON, FAILED = "↑", "*"
_NETWORKS = {"ticket": "ticket", "permuted": "permuted", "trained": "trained"}
_MARKS = (
    f"{WON}: a winning ticket, its mean no lower than the dense network's. {FAILED}: not every "
    "seed converged; the mean includes those that did not."
)


def accuracy_tables(results: Results) -> list[Table]:
    """Table 2 of the paper: accuracy by density."""
    rows = accuracies(results.frames)
    tickets = spaced(sorted(set(rows["ticket"])))
    lines = []
    for variant in results.grid:
        own = rows[rows["variant"] == variant].set_index("ticket")
        if len(own):
            cells = [_accuracy(own.loc[k]) if k in own.index else "–" for k in tickets]
            lines.append([*setting_cells(results, variant), *cells])
    if not lines:
        return []
    head = [*SETTING, *(f"{percent(_density(rows, k))}%" for k in tickets)]
    return [
        Table(
            f"{results.setting}: test accuracy of tickets in %, by density"
            f"{over(results.seeds('tickets'))}",
            head,
            lines,
            _MARKS,
        )
    ]


def crossed_tables(results: Results) -> list[Table]:
    """Tables 3 and 4 of the paper: masks of one variant, trained as another."""
    rows = crossed_accuracies(results.frames)
    plain = accuracies(results.frames)
    tickets = spaced(sorted(set(rows["ticket"])))
    by_kind: dict[bool, list[list[str]]] = {True: [], False: []}
    order = {name: place for place, name in enumerate(results.known)}
    pairs = rows[["variant", "training"]].drop_duplicates().itertuples(index=False)
    for masks, training in sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]])):
        own = rows[(rows["variant"] == masks) & (rows["training"] == training)]
        own = own.set_index("ticket")
        full = plain[plain["variant"] == training].set_index("ticket")
        cells = [_accuracy(own.loc[k]) if k in own.index else "–" for k in tickets]
        beside = [_accuracy(full.loc[k]) if k in full.index else "–" for k in tickets]
        epochs = str(results.settings[masks].epochs)
        both = [f"{cell} ({other})" for cell, other in zip(cells, beside, strict=True)]
        by_kind[is_aimp(results, masks, training)].append([masks, epochs, training, *both])
    titles = {True: "masks of shorter searches (AIMP)", False: "mask search against training"}
    head = ["Masks of", "Epochs of their search", "Trained as"]
    head += [f"{percent(_density(rows, k))}%" for k in tickets]
    note = (
        "In brackets: tickets of the variant that they were trained as, from its own masks. "
        f"{_MARKS}"
    )
    return [
        Table(
            f"{results.setting}: {titles[kind]}, test accuracy in % by density"
            f"{over(results.seeds('crossed'))}",
            head,
            lines,
            note,
            words=3,
        )
        for kind, lines in by_kind.items()
        if lines
    ]


def probe_tables(results: Results) -> list[Table]:
    """Table 5 of the paper: the middle and the last block, by network and density."""
    rows = results.rows_of("probes", split="test")
    if rows.empty:
        return []
    last = int(rows["block"].max())
    blocks = sorted({max(1, last // 2), last})
    columns = [(ticket, block) for ticket in _few(rows) for block in blocks]
    head = [f"{percent(_density(rows, t))}%, block {b}" for t, b in columns]
    lines = _by_network(results, rows, columns, ("ticket", "block"))
    title = f"{results.setting}: linear probes, test accuracy in %{over(results.seeds('probes'))}"
    return [Table(title, [*SETTING, "Network", *head], lines, _FROZEN)]


def transfer_tables(results: Results) -> list[Table]:
    """Table 6 of the paper: frozen features on other data sets."""
    rows = results.rows_of("transfer", split="test")
    if rows.empty:
        return []
    targets = list(dict.fromkeys(rows["target"]))
    columns = [(ticket, target) for ticket in _few(rows) for target in targets]
    head = [f"{target}, {percent(_density(rows, t))}%" for t, target in columns]
    lines = _by_network(results, rows, columns, ("ticket", "target"))
    title = (
        f"{results.setting}: a linear classifier on other data sets, test accuracy in %, by target "
        f"and density{over(results.seeds('transfer'))}"
    )
    return [Table(title, [*SETTING, "Network", *head], lines, _FROZEN)]


def few_shot_tables(results: Results) -> list[Table]:
    """Tables 7 and 23 of the paper: training on a part of the images."""
    rows = results.rows_of("few_shot", split="test")
    tables = []
    for selection in dict.fromkeys(rows["selection"]):
        own = rows[rows["selection"] == selection]
        sizes = sorted(set(own["percent"]))
        columns = [(ticket, size) for ticket in _few(own) for size in sizes]
        head = [f"{size}% of images, {percent(_density(own, t))}% dense" for t, size in columns]
        lines = _by_network(results, own, columns, ("ticket", "percent"))
        drawn = "drawn at random" if selection == "random" else f"{selection} first"
        title = (
            f"{results.setting}: trained on few images, {drawn}: test accuracy in %"
            f"{over(results.seeds('few_shot'))}"
        )
        note = "permuted: the mask's places shuffled within each layer, its counts kept."
        tables.append(Table(title, [*SETTING, "Network", *head], lines, note))
    return tables


def predictor_tables(results: Results) -> list[Table]:
    """Rank correlation of each predictor with each method's gain."""
    lines = []
    for method in pooled_methods(results.frames):
        for found in correlations(results.frames, method):
            rho = signed(found.rho) if found.defined else "–"
            within = signed(found.within) if found.within == found.within else "–"
            counts = [str(found.rows), str(found.seeds)]
            cells = [rho, within, found.interval or "–", *counts]
            lines.append([method, PREDICTORS[found.predictor], *cells])
    if not lines:
        return []
    head = ["Method", "Predictor", "Spearman's ρ", "Within density", "Interval of ρ"]
    seeds = results.seeds("predictors")
    return [
        Table(
            f"{results.setting}: what tells the gain of pooling",
            [*head, "Pooled tickets", "Seeds"],
            lines,
            "ρ, over all variants and densities, below 0: the higher the predictor, the lower the "
            "gain. Within density: mean of the ρ of each density. Interval, 2.5% to 97.5%: "
            f"{bootstrap(seeds)}.",
            words=2,
        )
    ]


def spaced(values: Sequence[int], most: int = _MOST) -> list[int]:
    """At most so many of the values, the first and last among them, evenly spaced."""
    if len(values) <= most:
        return list(values)
    places = np.linspace(0, len(values) - 1, most).round().astype(int)
    return [values[place] for place in places]


_FROZEN = (
    "ticket: the rewind point under the ticket's mask, not trained; of 100% density, the dense "
    "network there. permuted: the mask's places shuffled within each layer. trained: the trained "
    "network."
)


def _few(rows: pd.DataFrame) -> list[int]:
    """The tickets that are columns, where each has several: the dense and the sparsest two."""
    return spaced(sorted(set(rows["ticket"])), 3)


def _by_network(
    results: Results,
    rows: pd.DataFrame,
    columns: Sequence[tuple[object, object]],
    names: tuple[str, str],
) -> list[list[str]]:
    lines = []
    for variant in results.grid:
        for network in _NETWORKS:
            own = rows[(rows["variant"] == variant) & (rows["network"] == network)]
            if own.empty:
                continue
            cells = [
                spread(own[(own[names[0]] == a) & (own[names[1]] == b)]["accuracy"])
                for a, b in columns
            ]
            lines.append([*setting_cells(results, variant), network, *cells])
    return lines


def _accuracy(row: pd.Series) -> str:
    mark = (WON if row.get("winning", False) else "") + (FAILED if row["failed"] else "")
    return written(100 * row["mean"], 100 * row["std"]) + (f" {mark}" if mark else "")


def _density(rows: pd.DataFrame, ticket: int) -> float:
    return float(rows[rows["ticket"] == ticket]["density"].mean())
