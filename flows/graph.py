"""Reads the DVC graph: which stages there are, what each builds on, and which are stale.

DVC alone decides what is stale; this module only asks it, in this process, because a stage costs
a few milliseconds here and more than half a second as a `dvc` command.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows import mending, parsed
from flows.dvc import is_running
from flows.targets import select
from lp_core.errors import InputError, one_line

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage as DvcStage

# DVC's Repo is not thread-safe, and neither is changing its module-level caches side by side.
one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Stage:
    """One stage of the graph as it stood when it was read.

    `name` is what `dvc repro` takes, `upstream` the names of the stages whose outputs it reads,
    `outs` its outputs' paths relative to the project, `stale` whether `dvc repro` would act on it,
    `params` the keys of params.yaml that it depends on, `local` whether it has to run in this
    workspace in a run with clones.
    """

    name: str
    upstream: tuple[str, ...]
    outs: tuple[str, ...]
    stale: bool
    params: tuple[str, ...] = ()
    local: bool = False


@dataclass(frozen=True)
class Graph:
    """The chosen stages of the project in `root`, each after everything it builds on."""

    root: Path
    stages: dict[str, Stage]
    mended: tuple[str, ...] = ()  # a line for each thing that was, before DVC could read it

    def up_to(self, names: Sequence[str]) -> Graph:
        """The part that consists of these stages and everything upstream of them."""
        upstream = {name: stage.upstream for name, stage in self.stages.items()}
        chosen = select(upstream, names)
        return Graph(self.root, {n: stage for n, stage in self.stages.items() if n in chosen})

    def downstream(self, names: Iterable[str]) -> set[str]:
        """These stages and everything that builds on them."""
        found = set(names)
        for stage in self.stages.values():  # each after what it builds on
            if not found.isdisjoint(stage.upstream):
                found.add(stage.name)
        return found

    def producer(self, path: str) -> str | None:
        """The name of the stage that writes `path` (relative to the project), if one does."""
        for stage in self.stages.values():
            if any(path == out or path.startswith(out.rstrip("/") + "/") for out in stage.outs):
                return stage.name
        return None


def find_root() -> Path:
    """The DVC project that the working directory is in. InputError where it is in none."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        return Path(Repo.find_root())
    except NotDvcRepoError:
        raise InputError(
            f"{Path.cwd()} is not in a DVC project; start from the folder that holds dvc.yaml"
        ) from None


def read_graph(
    root: Path,
    targets: Sequence[str] = ("*",),
    switch: str | None = None,
    *,
    clones: bool = False,
) -> Graph:
    """The stages that `targets` choose and everything upstream of them, in topological order.

    `targets` are globs over stage names (`pool@*`, `imp@base-0-*`); a plain `imp` means all of
    `imp@*`, as it does to DVC. What a killed DVC has left is mended first (see `flows.mending`).
    clones: whether outputs that the DVC remote has are as good as here (see `flows.elsewhere`).
    InputError where a target matches nothing (with `switch` as in `select`) or DVC cannot read the
    graph or ask the remote.
    """
    from dvc.exceptions import DvcException

    with _locked(root) as repo:
        mended = [mending.mend_rwlock(root, is_running)]
        if mending.is_cut_short(root):
            mended.append(mending.mend_lock_file(root))
        try:
            graph = _read(repo, root, targets, switch, clones=clones)
        except DvcException:
            mended.append(mending.mend_lock_file(root))
            if mended[-1] is None:
                raise
            repo._reset()
            graph = _read(repo, root, targets, switch, clones=clones)
        mending.keep_lock_file(root)
        mending.sweep(root, (out for stage in graph.stages.values() for out in stage.outs))
        return replace(graph, mended=(*filter(None, mended), *graph.mended))


def look_at_graph(root: Path, targets: Sequence[str] = ("*",), switch: str | None = None) -> Graph:
    """As `read_graph`, but nothing is mended, and so none of DVC's files is written."""
    if mending.is_cut_short(root):
        raise InputError(
            "dvc.lock: cut short, as DVC leaves it when it is killed while it writes; run the flow "
            "without --dry-run, which mends it"
        )
    with _locked(root) as repo:
        return _read(repo, root, targets, switch, mend=False)


@contextmanager
def _locked(root: Path) -> Iterator[Repo]:
    """The project, with its lock held. InputError where DVC cannot read it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    parsed.install()
    try:
        # Other DVC processes rewrite dvc.lock in place, always under the repository's lock, and
        # hold it whenever they are not running a stage's command; a read without it could see
        # half a file.
        with (
            one_at_a_time,
            Repo(root_dir=str(root), _wait_for_lock=True) as repo,
            lock_repo(repo),
        ):
            yield repo
    except DvcException as error:
        raise InputError(f"DVC cannot read the graph in {root}: {_causes(error)}") from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f".site-cache: {error}; remove what DVC keeps there (`git clean -fdX .site-cache`) and "
            "run again: it is only what DVC remembers of files"
        ) from error


def _read(
    repo: Repo,
    root: Path,
    targets: Sequence[str],
    switch: str | None,
    *,
    mend: bool = True,
    clones: bool = False,
) -> Graph:
    from dvc.repo.reproduce import get_active_graph
    from networkx import lexicographical_topological_sort

    active = get_active_graph(repo.index.graph)
    # DVC's own order among independent stages changes from one process to the next.
    position = {stage: i for i, stage in enumerate(repo.index.stages)}
    ordered = {
        _name(stage): stage
        for stage in lexicographical_topological_sort(active.reverse(), position.get)
    }
    upstream = {
        name: tuple(_name(parent) for parent in active.successors(stage))
        for name, stage in ordered.items()
    }
    chosen = select(upstream, targets, switch)
    refilled: list[str] = []
    stages = {
        name: Stage(
            *(name, upstream[name], _outs(stage, root), _is_stale(stage, refilled, mend)),
            params=_params(stage, root),
        )
        for name, stage in ordered.items()
        if name in chosen
    }
    if clones:
        stages = _with_clones(repo, root, ordered, stages)
    if not refilled:
        return Graph(root, stages)
    for name, stage in stages.items():
        if not stage.stale:
            mending.refill_run_cache(ordered[name])
    which = refilled[0] if len(refilled) == 1 else f"{refilled[0]} and {len(refilled) - 1} more"
    line = f"DVC's cache had lost {which}; put back from the workspace, where they lie unchanged"
    return Graph(root, stages, (line,))


def _with_clones(
    repo: Repo, root: Path, ordered: Mapping[str, DvcStage], stages: Mapping[str, Stage]
) -> dict[str, Stage]:
    """The stages as a run with clones sees them."""
    from flows.elsewhere import Elsewhere, is_local
    from flows.remote import TransferError

    elsewhere, seen = Elsewhere(repo), {}
    for name, stage in stages.items():
        made = [ordered[up] for up in stage.upstream]
        stale = stage.stale and elsewhere.is_stale(name, ordered[name], made)
        seen[name] = replace(stage, stale=stale, local=is_local(ordered[name], made, root))
    try:
        lost = elsewhere.lost()
    except TransferError as error:
        raise InputError(str(error)) from error
    return {name: replace(s, stale=s.stale or name in lost) for name, s in seen.items()}


def _name(stage: DvcStage) -> str:
    # Not DVC's own `addressing`, which depends on the working directory.
    path = stage.path_in_repo
    name = getattr(stage, "name", None)
    if name is None:
        return path
    return name if path == "dvc.yaml" else f"{path}:{name}"


def _outs(stage: DvcStage, root: Path) -> tuple[str, ...]:
    return tuple(
        Path(os.path.relpath(out.fs_path, root)).as_posix()
        for out in stage.outs
        if out.protocol == "local"
    )


def _params(stage: DvcStage, root: Path) -> tuple[str, ...]:
    path = os.path.join(root, "params.yaml")
    return tuple(
        key
        for dep in stage.deps
        if isinstance(keys := getattr(dep, "params", None), list) and dep.fs_path == path
        for key in keys
    )


def _is_stale(stage: DvcStage, refilled: list[str], mend: bool) -> bool:
    """Whether `dvc repro` would act on the stage, once the cache has back what it has lost.

    mend: whether to give it back; then `refilled` gets what it was.
    """
    from dvc.exceptions import DvcException

    try:
        changes = stage.status()
        if not changes:
            return False
        if not mend:
            return not mending.is_lost_in_cache_alone(stage, changes)
        outs = mending.refill_cache(stage)
        refilled += outs
        return not outs or bool(stage.status())
    except DvcException:
        # Another process is writing its files, or DVC has an objection, which the stage's own
        # `dvc repro` will word better than this could.
        return True


def _causes(error: BaseException) -> str:
    """What an error and those that led to it say, in one line."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        text = one_line(cause)
        if text not in texts:
            texts.append(text)
        cause = cause.__cause__
    return ": ".join(texts)
