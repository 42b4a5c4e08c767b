"""What the results tables say of a ticket: its accuracies, for its model card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lp_core.tickets import Ticket
from tasks.kit import paths


@dataclass
class Measured:
    """Accuracies 0–1 by what they were measured on, and the tables that they are from."""

    accuracies: dict[str, float] = field(default_factory=dict)
    tables: list[Path] = field(default_factory=list)


def measured(ticket: Ticket) -> Measured:
    """On held-out, test and corrupted images, as far as there are tables with rows of it."""
    found, whose = Measured(), _whose(ticket.meta)
    if whose is None:
        return found
    table, columns = whose
    for row in _rows(table, columns, ticket.density, found):
        name = {"val": "held-out images", "test": "test images"}[row["split"]]
        found.accuracies[name] = row["accuracy"]
    if table in ("tickets", "pools", "sup_tickets"):
        of_method = {"method": "ticket", "ending": None} | columns
        corrupted = _rows("ood", of_method, ticket.density, found)
        if corrupted:
            kinds = len({row["corruption"] for row in corrupted})
            severities = len({row["severity"] for row in corrupted})
            name = f"corrupted test images (mean; corruptions: {kinds}, severities: {severities})"
            found.accuracies[name] = sum(r["accuracy"] for r in corrupted) / len(corrupted)
    return found


def _whose(meta: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The table that has the ticket's scores, and the values of the columns that name it."""
    run = {name: meta.get(name) for name in ("dataset", "variant", "seed")}

    def named(table: str, *columns: str) -> tuple[str, dict[str, Any]]:
        return table, run | {column: meta.get(column) for column in columns}

    if None in run.values():
        return None
    if meta.get("part") == "ticket":
        return named("sup_tickets", "method", "ending")
    if "part" in meta:
        table, columns = named("cheap_tickets", "method", "ending")
        return table, columns | {"cheap": int(meta["part"].removeprefix("cheap-"))}
    if "noise" in meta:
        return named("forks", "start", "removed", "noise")
    if "members" in meta:
        return named("pools", "method", "ticket")
    return named("tickets", "ticket") if "ticket" in meta else None


def _rows(
    table: str, columns: Mapping[str, Any], density: float, found: Measured
) -> list[dict[str, Any]]:
    """The table's rows with these values, of a ticket of this density: another's are of another
    run of the same name."""
    from pyarrow import parquet

    path = paths.RESULTS / f"{table}.parquet"
    if not path.is_file():
        return []
    rows = [
        row
        for row in parquet.read_table(path).to_pylist()
        if all(row[name] == value for name, value in columns.items())
        and abs(row["density"] - density) < 1e-9
    ]
    found.tables += [path] * bool(rows)
    return rows
