"""The paper's numbers beside ours, where the setting is the paper's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from tasks.reporting.part import Table
from tasks.reporting.published import at_density
from tasks.reporting.sgd_noise.measures import accuracies, crossed_accuracies
from tasks.reporting.sgd_noise.numbers.cells import SETTING, setting_cells, spread, written
from tasks.reporting.sgd_noise.published import (
    Published,
    read_published,
    trained_alike,
    unnamed,
)
from tasks.reporting.sgd_noise.results import REWIND, Results
from tasks.reporting.style import percent

_Line = tuple[list[str], list[str]]  # cells, sources
_Lines = Callable[[Results, Published], Iterator[_Line]]


def paper_tables(results: Results) -> list[Table]:
    """One table for each kind of number that the paper has in one of our settings."""
    published = read_published(results.dataset, results.folder)
    kinds: Sequence[tuple[str, list[str], _Lines]] = (
        ("test accuracy of tickets in %", ["Density (%)"], _accuracy),
        ("forgetting and convergence", ["Number"], _forgetting),
        ("masks of one search, trained otherwise, test accuracy in %", _CROSSED, _crossed),
        ("linear probes, test accuracy in %", ["Network", "Density (%)", "Block"], _probes),
        ("transfer, test accuracy in %", ["Network", "Density (%)", "Target"], _transfer),
        ("few images, test accuracy in %", ["Network", "Density (%)", "Images"], _few_shot),
        ("the first stable epoch", [], _rewind),
    )
    tables = []
    for title, columns, lines in kinds:
        found = list(lines(results, published))
        if not found:
            continue
        more = _POPULATION if lines is _rewind else ""
        sources = dict.fromkeys(source for _, of_line in found for source in of_line)
        tables.append(
            Table(
                f"{results.setting}: {title}, the paper's beside ours",
                [*SETTING, *columns, "Paper", "Ours"],
                [cells for cells, _ in found],
                f"Source: {'; '.join(sources)}. Network, data set, momentum, batch size, "
                "pretraining, epochs, schedule and learning rate are the paper's; the parameters "
                "below show whether the rest is, too, and what it does not name may be any. "
                f"Paper: {more or 'its validation accuracy.'}",
            )
        )
    return tables


# 3.7 ± 0.9 is {3, 3, 5}: only whole epochs of three runs make it so.
_POPULATION = "± is the deviation of a population (divided by n); ours that of a sample (by n − 1)."
_CROSSED = ["Epochs of the search", "Trained with μ", "Batch size", "Density (%)"]


def _accuracy(results: Results, published: Published) -> Iterator[_Line]:
    rows = accuracies(results.frames)
    for variant in results.grid:
        for own in rows[rows["variant"] == variant].to_dict("records"):
            printed = published.at(
                "accuracy", results.settings[variant], density=own["density"]
            ).head(1)
            if len(printed):
                failed = " *" * bool(own["failed"])
                ours = written(100 * own["mean"], 100 * own["std"]) + failed
                cells = [percent(own["density"]), _printed(printed), ours]
                yield _line(results, variant, cells, printed)


def _forgetting(results: Results, published: Published) -> Iterator[_Line]:
    rows = results.rows_of("forks", start=REWIND, removed=None, split="test")
    for variant in results.grid:
        own = rows[rows["variant"] == variant]
        printed = published.at("forgetting", results.settings[variant])
        if own.empty or printed.empty:
            continue
        row = printed.iloc[0]
        numbers = {
            "forgetting events": (
                written(row["events"], row["events_std"]),
                written(own["events"].mean(), own["events_std"].mean()),
            ),
            "unforgettable (%)": (
                written(100 * row["unforgettable"], 100 * row["unforgettable_std"]),
                spread(own["unforgettable"]),
            ),
            "convergence": (
                written(row["convergence"], row["convergence_std"], 3),
                spread(own["convergence"], 1, 3),
            ),
        }
        for name, (paper, ours) in numbers.items():
            yield _line(results, variant, [name, paper, ours], printed)


def _crossed(results: Results, published: Published) -> Iterator[_Line]:
    for own in crossed_accuracies(results.frames).to_dict("records"):
        masks, training = (results.settings[own[k]] for k in ("variant", "training"))
        if not trained_alike(results.dataset, training):
            continue
        if not trained_alike(results.dataset, masks, masks.epochs):
            continue
        rows = published.tables["crossed"]
        known: Mapping[str, Any] = {
            "dataset": results.dataset,
            "model": masks.model,
            "momentum": masks.momentum,
            "batch_size": masks.batch_size,
            "pretraining": masks.rewind,
            "epochs": masks.epochs,
            "training_momentum": training.momentum,
            "training_batch_size": training.batch_size,
        }
        for column, value in known.items():
            rows = rows[rows[column] == value]
        printed = at_density(rows, own["density"]).head(1)
        if len(printed):
            cells = [str(masks.epochs), f"{training.momentum:g}", str(training.batch_size)]
            cells += [percent(own["density"]), _printed(printed)]
            cells.append(written(100 * own["mean"], 100 * own["std"]) + " *" * bool(own["failed"]))
            yield _line(results, own["variant"], cells, printed)


def _probes(results: Results, published: Published) -> Iterator[_Line]:
    yield from _networks(results, published, "probes", ["block"], "{}")


def _transfer(results: Results, published: Published) -> Iterator[_Line]:
    yield from _networks(results, published, "transfer", ["target"], "{}")


def _few_shot(results: Results, published: Published) -> Iterator[_Line]:
    yield from _networks(results, published, "few_shot", ["percent", "selection"], "{}%, {}")


def _networks(
    results: Results, published: Published, kind: str, columns: list[str], form: str
) -> Iterator[_Line]:
    rows = results.rows_of(kind, split="test")
    keys = ["variant", "network", "ticket", *columns]
    order = {name: place for place, name in enumerate(results.grid)}
    groups = sorted(rows.groupby(keys, sort=False), key=lambda group: order[group[0][0]])
    for (variant, network, _, *rest), own in groups:
        density = own["density"].mean()
        where = dict(zip(columns, rest, strict=True)) | {"network": network, "density": density}
        printed = published.at(kind, results.settings[variant], **where).head(1)
        if len(printed):
            cells = [network, percent(density), form.format(*rest)]
            cells += [_printed(printed), spread(own["accuracy"])]
            yield _line(results, variant, cells, printed)


def _rewind(results: Results, published: Published) -> Iterator[_Line]:
    rows = results.rows_of("stable_rewind")
    for variant in results.grid:
        own = rows[rows["variant"] == variant]
        printed = published.at("rewind", results.settings[variant])
        if len(own) and len(printed):
            paper = written(printed["epoch"].iloc[0], printed["std"].iloc[0], 1)
            ours = written(own["epoch"].mean(), own["epoch"].std(), 1)
            yield _line(results, variant, [paper, ours], printed)


def _line(results: Results, variant: str, cells: list[str], printed: pd.DataFrame) -> _Line:
    return [*setting_cells(results, variant), *cells], list(printed["source"])


def _printed(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    starred = " *" if str(row.get("starred", False)).lower() == "true" else ""
    std = float(row["std"]) if "std" in row else float("nan")
    left_open = ", ".join(unnamed(row))
    mark = f" ({left_open} not named)" if left_open else ""
    return written(100 * row["accuracy"], 100 * std) + starred + mark
