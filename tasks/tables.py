"""Stage `tables`: the rows that the other stages left, as `results/*.parquet`, and a summary.

Reads every rows file that params.yaml lists, by the file's own head.
"""

import json
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from lp_core.errors import InputError
from lp_core.files import atomic_write
from lp_core.tables import TABLES, write_table
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.leftovers import remove_restorable
from tasks.kit.listed import Listed
from tasks.kit.origin import origin
from tasks.kit.params import Params
from tasks.kit.predictors import predictors
from tasks.kit.rows import Row, RowsFile, Tables, read_all
from tasks.kit.rows_only import forget_recorded
from tasks.reporting.summary import metrics, plots, summary

_RUN = ("dataset", "model", "variant", "seed")
_TRAININGS = "trainings"  # rows that become columns of `tickets`, `sup_tickets` and `forks`
_FORK = ("start", "removed", "noise")
# Columns that only some of the stages have anything to say in.
_OPTIONAL = {"curves": ("method", "ending", "ticket"), "ood": ("ending", "ticket")}


def main(_: Namespace) -> None:
    """Write all tables, what `dvc metrics` and `dvc plots` show, and a summary for a person."""
    params = Params()
    listed = Listed.read(params)
    files = read_all(paths.ROWS)
    read = sorted(filter(listed.has, files), key=listed.position)
    tables = collect(read)
    listed.require_complete(tables)
    add_trainings(tables)
    add_winning(tables)
    add_gains(tables)
    tables["predictors"] = predictors(tables)
    whence = origin(params)
    frames = {
        name: write_table(name, rows, paths.RESULTS, whence).to_pandas()
        for name, rows in tables.items()
    }
    _write("metrics.json", json.dumps(metrics(frames), indent=2) + "\n")
    _write("summary.md", summary(frames))
    for name, frame in plots(frames).items():
        _write(f"plots/{name}.csv", frame.to_csv(index=False))
    print(f"tables: {', '.join(frames)} and a summary in {paths.RESULTS}/", flush=True)
    forget_recorded(file.head for file in read)
    removed = remove_restorable(file.path for file in files if not listed.has(file))
    if removed:
        print(f"tables: removed {len(removed)} rows files that are not listed; DVC keeps a copy")


def collect(files: Iterable[RowsFile]) -> Tables:
    """Rows by table, of every table; each row begins with the run that its file's head names.

    Raises InputError for rows of a table that lp_core.tables does not have.
    """
    tables: Tables = {name: [] for name in (*TABLES, _TRAININGS)}
    for file in files:
        unknown = sorted(set(file.tables) - set(tables))
        if unknown:
            raise InputError(f"{file.path}: rows of {unknown}; lp_core/tables.py has no such table")
        run_of_file = {column: file.head[column] for column in _RUN}
        for name, rows in file.tables.items():
            nothing = dict.fromkeys(_OPTIONAL.get(name, ()))
            tables[name] += [run_of_file | nothing | row for row in rows]
    return tables


def add_trainings(tables: Tables) -> None:
    """Add to each row of what was trained the wall time of its training, and what that cost.

    The stage that trained it has measured both; another stage has measured the accuracy.
    """
    trainings = tables.pop(_TRAININGS)
    of_ticket = {_key(row, "ticket"): row for row in trainings if "ticket" in row}
    for row in tables["tickets"]:
        row["train_seconds"] = of_ticket[_key(row, "ticket")]["train_seconds"]
    of_ending = {_key(row, "method", "ending"): row for row in trainings if "ending" in row}
    for row in tables["sup_tickets"]:
        prefix = of_ending[_key(row | {"ending": None}, "method", "ending")]
        ending = of_ending[_key(row, "method", "ending")]
        row |= {name: ending[name] for name in ("train_flops", "train_fraction")}
        row["train_seconds"] = prefix["train_seconds"] + ending["train_seconds"]
    of_fork = {_key(row, *_FORK): row for row in trainings if "noise" in row}
    for row in tables["forks"]:
        row["train_seconds"] = of_fork[_key(row, *_FORK)]["train_seconds"]


def _key(row: Row, *columns: str) -> tuple[Any, ...]:
    return row["variant"], row["seed"], *(row[column] for column in columns)


def add_winning(tables: Tables) -> None:
    """Mark the papers' winning tickets: at least as accurate as the dense one trained alike."""
    tickets = tables["tickets"]
    dense = {_key(row, "split"): row["accuracy"] for row in tickets if row["ticket"] == 0}
    for row in tickets:
        row["winning"] = row["accuracy"] >= dense[_key(row, "split")]


def add_gains(tables: Tables) -> None:
    """Add each pooled ticket's gain in accuracy over the unpooled ticket on the same split."""
    unpooled = {_key(row, "split", "ticket"): row["accuracy"] for row in tables["tickets"]}
    for row in tables["pools"]:
        row["gain"] = row["accuracy"] - unpooled[_key(row, "split", "ticket")]


def _write(name: str, text: str) -> None:
    with atomic_write(paths.RESULTS / name) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    run(main)
