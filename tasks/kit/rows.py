"""Table rows as stages hand them to the stage `tables`: JSON, so that no schema binds a stage.

(A stage that imported the tables' schemas would run again whenever a column of any table
changed; a training must not.)
"""

import json
from pathlib import Path
from typing import Any

from lp_core.errors import InputError
from lp_core.files import atomic_write

Rows = dict[str, list[dict[str, Any]]]


def write_rows(path: Path, rows: Rows) -> None:
    """Write rows by table name, in one step. Floats come back exactly."""
    lines = [
        f"{json.dumps(table)}: [\n" + ",\n".join(json.dumps(row) for row in found) + "\n]"
        for table, found in rows.items()
    ]
    with atomic_write(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read_rows(path: Path) -> Rows:
    """What `write_rows` wrote. Raises InputError naming the file if it is something else."""
    try:
        rows: Rows = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not table rows ({error}); run its stage again") from error
    return rows
