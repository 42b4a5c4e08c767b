"""The experiment of a drill, and how its outcome is compared with an undisturbed run's."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.changes import with_changes
from tests.dag.project import MADE, TINY, Project
from tests.dag.sgd_noise import STEPS

# Wall times, of which no two runs have the same.
TIMES = ("seconds", "train_seconds")
TIMED = ("rows/", "results/")


@dataclass(frozen=True)
class Experiment:
    """params: what it has in params.yaml. targets: the stages that are run; none for all."""

    params: dict[str, Any]
    targets: tuple[str, ...] = ()

    def new(self, root: Path) -> Project:
        """A copy of this checkout with it, in a folder that is not there yet."""
        root.mkdir(parents=True)
        project = Project(root)
        project.params(self.params)
        return project

    def clones(self, project: Project, remote: Path, number: int) -> list[Project]:
        """Clones of it, beside it, with a DVC remote between all of them."""
        remote.mkdir()
        project.dvc("remote", "add", "--quiet", "--default", "between", str(remote))
        project.run("git", "add", "--all")
        who = ("-c", "user.name=drill", "-c", "user.email=drill@localhost")
        project.run("git", *who, "commit", "--quiet", "--message", "The experiment")
        roots = [project.root.with_name(f"clone-{k}") for k in range(number)]
        for root in roots:
            project.run("git", "clone", "--quiet", str(project.root), str(root))
        return [Project.at(root) for root in roots]

    def forget(self, project: Project) -> None:
        """As if nothing had ever run in it."""
        for name in (*MADE, ".resume", ".cache", ".dvc/cache", ".dvc/tmp"):
            shutil.rmtree(project.root / name, ignore_errors=True)
        (project.root / "dvc.lock").unlink(missing_ok=True)

    def differences(self, project: Project, undisturbed: Project) -> Iterator[str]:
        """A line for each thing that a run has made otherwise than the undisturbed one."""
        here, there = files(project.root), files(undisturbed.root)
        yield from (f"{name} is left over" for name in sorted(here - there))
        yield from (f"{name} is missing" for name in sorted(there - here))
        for name in sorted(here & there):
            pair = project.root / name, undisturbed.root / name
            if name.endswith(".parquet"):
                same = _table(pair[0]) == _table(pair[1])
            else:
                same = name.startswith(TIMED) or pair[0].read_bytes() == pair[1].read_bytes()
            if not same:
                yield f"{name} is another"
        yield from left_over(project.root)


_ONE = {
    "corrupt": {"digits": TINY["corrupt"]["digits"] | {"corruptions": ["snow"], "images": 20}},
    "grid": ["base"],
    "pooling": TINY["pooling"] | {"methods": ["interpolation"], "corrupted": ["interpolation"]},
}
SMALL = Experiment(
    TINY
    | _ONE
    | {
        "sup_tickets": TINY["sup_tickets"] | {"endings": ["cia"]},
        "sgd_noise": TINY["sgd_noise"]
        | {"variants": ["base"], "stable_rewind": {"variants": ["base"], "steps": STEPS}},
    }
)
# Two tickets, one pool, their tables.
SMALLEST = Experiment(
    TINY
    | _ONE
    | {
        "sup_tickets": with_changes(
            TINY["sup_tickets"], {"variants": [], "siblings.methods": []}, "."
        )
    },
    ("tables",),
)


def files(root: Path) -> set[str]:
    """What lies in the project, but for what DVC holds in its own folders by other names."""
    made = (path for name in (*MADE, ".resume") for path in (root / name).rglob("*"))
    return {
        path.relative_to(root).as_posix()
        for path in (*made, *root.glob("*"))
        if path.is_file() and path.name != "dvc.lock"
    }


def left_over(root: Path) -> Iterator[str]:
    """A line for each temporary file, and for each lock of DVC that somebody seems to hold.

    root: of a project, or of a DVC remote.
    """
    places = (root.glob(".dvc.lock.*"), root.rglob("*.tmp"), (root / ".dvc" / "cache").rglob(".*"))
    for path in (path for place in places for path in place if path.is_file()):
        yield f"{path.relative_to(root.parent)} is left over"
    rwlock = root / ".dvc" / "tmp" / "rwlock"
    held = json.loads(rwlock.read_text()) if rwlock.exists() else {}
    for kind, paths in held.items():
        if paths:
            yield f"{root.name}: {rwlock.name} holds {kind} locks of {', '.join(paths)}"


def _table(path: Path) -> Any:
    table = pq.read_table(path)
    table = table.drop_columns([column for column in TIMES if column in table.column_names])
    return table.to_pylist(), table.schema.metadata
