"""Table rows as stages hand them to the stage `tables`: JSON, so that no schema binds a stage.

(A stage that imported the tables' schemas would run again whenever a column of any table
changed; a training must not.) A file's head says what its rows are of, so that `tables` can read
whatever lies there; a checksum tells a damaged file from a whole one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lp_core.checksums import sealed, unsealed
from lp_core.errors import DamagedError, InputError
from lp_core.files import atomic_write

Row = dict[str, Any]
Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class RowsFile:
    """head: stage, dataset, model, variant, seed and what else the stage is of: ticket, method, …
    tables: rows by table name, without dataset, model, variant and seed."""

    path: Path
    head: Row
    tables: Tables


def write_rows(path: Path, head: Mapping[str, Any], tables: Tables) -> None:
    """Write rows under a head, in one step. Floats come back exactly."""
    lines = [
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
        for name, rows in tables.items()
    ]
    text = f'{{"head": {json.dumps(head)},\n"tables": {{\n' + ",\n".join(lines) + "\n}}\n"
    with atomic_write(path) as temporary:
        temporary.write_text(sealed(text))


def read_rows(path: Path) -> RowsFile:
    """What `write_rows` wrote. Raises DamagedError naming the file if it is something else."""
    try:
        content = unsealed(path.read_text(), "head", "tables")
        rows = RowsFile(path, dict(content["head"]), dict(content["tables"]))
        if missing := sorted({"stage", "dataset", "model", "variant", "seed"} - set(rows.head)):
            raise ValueError(f"its head lacks {', '.join(missing)}")
        if not all(isinstance(table, list) for table in rows.tables.values()):
            raise ValueError("a table is no list")
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DamagedError(path, f"not table rows ({reason})") from error
    return rows


def read_all(folder: Path) -> list[RowsFile]:
    """Every file of rows below a folder, in the order of their paths.

    Raises InputError where two are of the same stage and item: one must be a copy, whose rows would
    count twice.
    """
    files = [read_rows(path) for path in sorted(folder.rglob("*.json"))]
    known: dict[str, Path] = {}
    for file in files:
        first = known.setdefault(json.dumps(file.head, sort_keys=True), file.path)
        if first != file.path:
            raise InputError(f"{first} and {file.path} have the same rows; remove the copy")
    return files
