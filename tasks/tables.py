"""Stage `tables`: the rows that the other stages left, as `results/*.parquet`, and a summary.

Reads every rows file that params.yaml lists, by the file's own head.
"""

import json
from argparse import Namespace
from collections.abc import Iterable

from lp_core.errors import InputError
from lp_core.files import atomic_write
from lp_core.tables import TABLES, write_table
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.leftovers import remove_restorable
from tasks.kit.listed import Listed
from tasks.kit.origin import origin
from tasks.kit.params import Params
from tasks.kit.rows import Row, RowsFile, Tables, read_all
from tasks.reporting.summary import metrics, plots, summary

_RUN = ("dataset", "model", "variant", "seed")
_TRAININGS = "trainings"  # rows that become a column of `tickets`
# Columns that only some of the stages have anything to say in.
_OPTIONAL = {"curves": ("method", "ending", "ticket"), "ood": ("ending", "ticket")}


def main(_: Namespace) -> None:
    """Write all tables, what `dvc metrics` and `dvc plots` show, and a summary for a person."""
    params = Params()
    listed = Listed.read(params)
    files = read_all(paths.ROWS)
    tables = collect(sorted(filter(listed.has, files), key=listed.position))
    listed.require_complete(tables)
    add_train_seconds(tables)
    add_winning(tables)
    add_gains(tables)
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


def add_train_seconds(tables: Tables) -> None:
    """Add the wall time of its training to each row of a ticket.

    The stage that trained the ticket has measured it; another stage has measured the accuracy.
    """

    def key(row: Row) -> tuple[str, int, int]:
        return row["variant"], row["seed"], row["ticket"]

    seconds = {key(row): row["train_seconds"] for row in tables.pop(_TRAININGS)}
    for row in tables["tickets"]:
        row["train_seconds"] = seconds[key(row)]


def add_winning(tables: Tables) -> None:
    """Mark the papers' winning tickets: at least as accurate as the dense one trained alike."""

    def key(row: Row) -> tuple[str, int, str]:
        return row["variant"], row["seed"], row["split"]

    dense = {key(row): row["accuracy"] for row in tables["tickets"] if row["ticket"] == 0}
    for row in tables["tickets"]:
        row["winning"] = row["accuracy"] >= dense[key(row)]


def add_gains(tables: Tables) -> None:
    """Add each pooled ticket's gain in accuracy over the unpooled ticket on the same split."""

    def key(row: Row) -> tuple[str, int, str, int]:
        return row["variant"], row["seed"], row["split"], row["ticket"]

    unpooled = {key(row): row["accuracy"] for row in tables["tickets"]}
    for row in tables["pools"]:
        row["gain"] = row["accuracy"] - unpooled[key(row)]


def _write(name: str, text: str) -> None:
    with atomic_write(paths.RESULTS / name) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    run(main)
