"""What `flows.clone` is told about a stage, and what it tells: files in `.dvc/tmp/orders`."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lp_core.files import atomic_write

FOLDER = Path(".dvc", "tmp", "orders")


@dataclass(frozen=True)
class Errand:
    """What the process is told in the file ORDER, beside the stage's name.

    entries: dvc.lock's of the stages that this one builds on; None for what has none there (`dvc
    add`). files: the content that these files of the project must have. sources: the hashes that
    those files and folders must have which the stage depends on and git brings
    (`folders.source_hashes`). tidy: whether this is a clone, nobody's desk: what a killed DVC has
    left is mended, and what no stage makes any more is removed from folders that the stage depends
    on.
    """

    force: bool = False
    entries: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    sources: Mapping[str, str | None] = field(default_factory=dict)
    tidy: bool = False

    @property
    def recorded(self) -> dict[str, Any]:
        """The entries that there are."""
        return {name: entry for name, entry in self.entries.items() if entry is not None}


def command(root: Path, stage: str, errand: Errand) -> list[str]:
    """The command line that does the errand for a stage in the workspace `root`."""
    order = _order(root, stage)
    order.parent.mkdir(parents=True, exist_ok=True)
    _answer(order).unlink(missing_ok=True)
    with atomic_write(order) as temporary:
        temporary.write_bytes(pickle.dumps(errand))
    return [sys.executable, "-m", "flows.clone", stage, str(order.relative_to(root))]


def answer(root: Path, stage: str) -> Any:
    """The dvc.lock entry that the command has left, once it has succeeded."""
    return pickle.loads(_answer(_order(root, stage)).read_bytes())


def read_errand(order: Path) -> Errand:
    errand: Errand = pickle.loads(order.read_bytes())
    return errand


def leave_answer(order: Path, entry: Any) -> None:
    """Leaves the stage's entry where `answer` finds it."""
    _answer(order).write_bytes(pickle.dumps(entry))


def _order(root: Path, stage: str) -> Path:
    return root / FOLDER / stage.replace("/", "+")


def _answer(order: Path) -> Path:
    return order.with_name(f"{order.name}.made")
