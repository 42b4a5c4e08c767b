"""Stage `tables`: the rows that the other stages left, as `results/*.parquet`, and a summary.

Reads exactly the rows that params.yaml asks for: what lies there from rounds, variants or methods
that are no longer listed is left out.
"""

import json
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

from lp_core.files import atomic_write
from lp_core.tables import TABLES, write_table
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.experiment import Experiment, validate
from tasks.kit.params import Params
from tasks.kit.rows import read_rows
from tasks.reporting.converged import converged, said
from tasks.reporting.summary import metrics, plots, summary

Row = dict[str, Any]


def main(_: Namespace) -> None:
    """Write all tables, what `dvc metrics` and `dvc plots` show, and a summary for a person."""
    experiment = validate()
    found: dict[str, list[Row]] = {name: [] for name in TABLES}
    for about, path in _listed(experiment):
        for table, rows in read_rows(path).items():
            found[table] += [about | row for row in rows]
    for complete in (_winning, _gains):
        complete(found)
    frames = {
        name: write_table(name, rows, paths.RESULTS).to_pandas() for name, rows in found.items()
    }
    kept = converged(frames)
    _write("metrics.json", json.dumps(metrics(kept), indent=2) + "\n")
    _write("summary.md", "\n".join([summary(kept), *said(frames)]))
    for name, frame in plots(kept).items():
        _write(f"plots/{name}.csv", frame.to_csv(index=False))
    print(f"tables: {', '.join(frames)} and a summary in {paths.RESULTS}/", flush=True)


def _listed(experiment: Experiment) -> Iterator[tuple[Row, Any]]:
    for variant in experiment.grid:
        model = Params(variant).raw["model"]["name"]
        for seed in experiment.seeds:
            about = {"dataset": experiment.dataset, "model": model}
            about |= {"variant": variant, "seed": seed}
            yield about, paths.rows("pretrain", variant, seed, "rewind")
            for line in experiment.imp.rounds:
                yield about, paths.rows("imp", variant, seed, line.ticket)
            yield about, paths.rows("landscape", variant, seed, "tickets")
            if variant not in experiment.pooled:
                continue
            for method in experiment.pools:
                yield about, paths.rows("pool", variant, seed, method)
            for method in ("ticket", *experiment.ood):
                yield about, paths.rows("ood", variant, seed, method)
            yield about, paths.rows("ensemble", variant, seed, "tickets")


def _winning(found: dict[str, list[Row]]) -> None:
    """The papers' winning tickets: those at least as accurate as the dense one trained alike."""
    key = _key("variant", "seed", "split")
    dense = {key(row): row["accuracy"] for row in found["tickets"] if row["ticket"] == 0}
    for row in found["tickets"]:
        row["winning"] = row["accuracy"] >= dense[key(row)]


def _gains(found: dict[str, list[Row]]) -> None:
    key = _key("variant", "seed", "split", "ticket")
    unpooled = {key(row): row["accuracy"] for row in found["tickets"]}
    for row in found["pools"]:
        row["gain"] = row["accuracy"] - unpooled[key(row)]


def _key(*columns: str) -> Callable[[Row], tuple[Any, ...]]:
    return lambda row: tuple(row[column] for column in columns)


def _write(name: str, text: str) -> None:
    with atomic_write(paths.RESULTS / name) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    run(main)
