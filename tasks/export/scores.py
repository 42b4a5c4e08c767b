"""What the results tables say of a ticket: its accuracies, for its model card.

Rows are the ticket's where they have its digest. By name and density they could be of one that was
made anew meanwhile.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lp_core.tickets import Ticket
from tasks.kit import paths

_TABLES = ("tickets", "pools", "sup_tickets", "cheap_tickets", "forks")  # a row for each split
_SPLITS = {"val": "held-out images", "test": "test images"}


@dataclass
class Measured:
    """Accuracies 0–1 by what they were measured on, and the tables that they are from."""

    accuracies: dict[str, float] = field(default_factory=dict)
    tables: list[Path] = field(default_factory=list)


def measured(ticket: Ticket) -> Measured:
    """On held-out, test and corrupted images, as far as there are tables with rows of it."""
    found, digest = Measured(), ticket.digest
    for table in _TABLES:
        for row in _rows(table, digest, found):
            found.accuracies[_SPLITS[row["split"]]] = row["accuracy"]
    if corrupted := _rows("ood", digest, found):
        kinds = len({row["corruption"] for row in corrupted})
        severities = len({row["severity"] for row in corrupted})
        name = f"corrupted test images (mean; corruptions: {kinds}, severities: {severities})"
        found.accuracies[name] = sum(row["accuracy"] for row in corrupted) / len(corrupted)
    return found


def _rows(table: str, digest: str, found: Measured) -> list[dict[str, Any]]:
    """The table's rows of this ticket."""
    from pyarrow import parquet

    path = paths.RESULTS / f"{table}.parquet"
    if not path.is_file():
        return []
    listed = parquet.read_table(path).to_pylist()
    rows = [row for row in listed if row.get("digest") == digest]  # older tables have no digests
    found.tables += [path] * bool(rows)
    return rows
