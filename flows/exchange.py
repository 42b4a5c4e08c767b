"""The coordinator's side of a run with clones: what goes out with each stage, and what comes back.

What a stage has made stays in the DVC remote; dvc.lock here records it as if it had been made here.
`dvc repro` then finds the stage unchanged, once its outputs have been fetched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.objects import State

from flows import graph as graphs
from flows import lockfile, remote
from flows.agreement import Agreement, agreement
from flows.folders import leftovers, needed, overlap, reads, recorded_hash, source_hashes
from flows.graph import Graph, Stage
from flows.mending import refill_run_cache
from flows.workspace import Exchange, Inputs, MisfitError, WorkspaceWithRemote
from lp_core.errors import InputError

if TYPE_CHECKING:
    from dvc.stage import Stage as DvcStage


class CloneExchange(Exchange):
    """Between the project in `root` and clones of it.

    first: the stages that every workspace runs by itself; they are up to date here. InputError
    where there is no DVC remote to exchange by.
    """

    with_clones = True

    def __init__(self, root: Path, first: Sequence[str]) -> None:
        self._root = root
        self._first = frozenset(first)
        self._repo = remote.open_repo(root)
        self.agreement: Agreement = agreement(root, tuple(first))
        self.workspace = WorkspaceWithRemote(root, agreement=self.agreement, own=False)
        self._graph = Graph(root, {})
        self._entries: dict[str, Any] = {}  # as far as they have been asked for or taken in
        self._files: dict[str, Any] = {}  # dvc.yaml, parsed once
        self._sources: dict[str, str | None] = {}  # as they were when they were first looked at
        try:  # by which clones see that their remote is this one
            remote.push(self._repo, [self._load(name) for name in self.agreement.made])
        except remote.TransferError as error:
            raise InputError(str(error)) from error

    def begin(self, graph: Graph) -> None:
        """Makes the remote have what unchanged stages have made that workers will build on.

        InputError where the folders here hold what clones could not have, and where the remote does
        not take what it should.
        """
        self._graph = graph
        self._entries.clear()
        going = graph.downstream(name for name, stage in graph.stages.items() if stage.stale)
        abroad = [name for name in going if not graph.stages[name].local]
        with graphs.one_at_a_time:
            for name in abroad:
                self._refuse_leftovers(name)
                self._source_hashes(name)
            sources = {up for name in abroad for up in self._builds_on(name)}
            stages = [self._load(name) for name in sorted(sources - going)]
            try:
                gone = remote.lost(self._repo, [out for stage in stages for out in stage.outs])
                remote.push(
                    self._repo, list({out.stage.addressing: out.stage for out in gone}.values())
                )
            except remote.TransferError as error:
                raise InputError(str(error)) from error

    def is_local(self, stage: Stage) -> bool:
        return stage.local or stage.name in self._first

    def inputs(self, stage: Stage) -> Inputs:
        for name, content in self.agreement.files.items():
            if (self._root / name).read_bytes() != content:
                raise InputError(_edited(name))
        with graphs.one_at_a_time:
            entries = {up: self._entry(up) for up in self._builds_on(stage.name)}
            if self.is_local(stage):
                return Inputs(entries)
            return Inputs(entries, self._source_hashes(stage.name))

    def _source_hashes(self, name: str) -> dict[str, str | None]:
        stage = self._load(name)
        hashes = source_hashes(stage, needed(stage, self._upstream(name)))
        for path, found in hashes.items():
            if self._sources.setdefault(path, found) != found:
                raise InputError(_edited(path))
        return hashes

    def take_in(self, stage: str, made: Any) -> None:
        """Records the entry, which a workspace has made, in dvc.lock here.

        MisfitError where it is not of what the stage builds on.
        """
        path = self._root / "dvc.lock"
        with graphs.one_at_a_time, self._repo.lock:
            ours = self._load(stage, made)
            if lockfile.entries(path).get(stage) != made:  # it was not made here
                self._refuse_misfit(stage, ours)
                if remote.lost(self._repo, ours.outs):
                    raise MisfitError("came back, but what it has made is not in the DVC remote")
            for out in ours.outs:
                if out.exists and out.changed_checksum():
                    out.remove()  # as `dvc repro` does before it runs a stage
            lockfile.record(path, {stage: made})
        self._entries[stage] = made

    def finish(self, graph: Graph, states: Mapping[str, State[Any]]) -> None:
        """Fetches what the stages that completed have made, and notes it as DVC does when they run.

        remote.TransferError where the remote does not give all of it.
        """
        done = [
            name
            for name in graph.stages
            if name not in self._first and name in states and states[name].is_completed()
        ]
        with graphs.one_at_a_time:
            outs = [out for name in done for out in self._load(name).outs if out.use_cache]
            fetched = remote.fetch(self._repo, outs)
            for stage in {out.stage for out in fetched}:
                refill_run_cache(stage)

    def _entry(self, name: str) -> Any:
        if name not in self._entries:
            self._entries[name] = lockfile.entries(self._root / "dvc.lock").get(name)
        return self._entries[name]

    def _load(self, name: str, entry: Any = None) -> DvcStage:
        """The stage as dvc.yaml has it, with the hashes of `entry`, or of the one that is known."""
        from dvc.dvcfile import PROJECT_FILE, load_file
        from dvc.stage.loader import StageLoader
        from dvc.utils import parse_target

        path, stage = parse_target(name)
        path = os.path.join(self._root, path or PROJECT_FILE)
        if path not in self._files:
            self._files[path] = load_file(self._repo, path)
        file = self._files[path]
        if not stage:
            return file.stage
        known = {"stages": {stage: entry or self._entry(name)}}
        loaded: DvcStage = StageLoader(file, file.contents, known)[stage]
        return loaded

    def _upstream(self, name: str) -> Iterable[DvcStage]:
        return [self._load(up) for up in self._builds_on(name)]

    def _builds_on(self, name: str) -> list[str]:
        """The stages whose outputs a clone needs for this one: of those before the ones that it
        depends on, those of which it reads an output."""
        stages, paths = self._graph.stages, reads(self._load(name))
        found = set(stages[name].upstream)
        if paths:
            for up in self._graph.up_to([name]).stages.keys() - found - {name}:
                if any(overlap(out, path) for out in self._load(up).outs for path in paths):
                    found.add(up)
        return [up for up in stages if up in found and up not in self._first]

    def _refuse_leftovers(self, name: str) -> None:
        stage = self._load(name)
        left = leftovers(stage, needed(stage, self._upstream(name)))
        if left:
            raise InputError(
                f"{os.path.relpath(left[0], self._root)}"
                + (f" and {len(left) - 1} more" if len(left) > 1 else "")
                + f": no stage makes it any more, but {name} depends on its folder, and workers "
                "with clones of their own do not have it; remove it and run again"
            )

    def _refuse_misfit(self, name: str, stage: DvcStage) -> None:
        if stage.cmd_changed:
            raise MisfitError("came back with another command than dvc.yaml has here")
        outs = needed(stage, self._upstream(name))
        for dep in stage.deps:
            built_on = [out for out in outs if overlap(out, dep.fs_path)]
            if built_on:
                recorded = recorded_hash(dep.fs_path, built_on)
                if recorded is None:
                    raise remote.TransferError(f"the DVC remote has no listing of what is in {dep}")
                fits = recorded == dep.hash_info.value
            else:  # lies here as well
                fits = not dep.status()
            if not fits:
                raise MisfitError(
                    f"came back built on another {dep} than is recorded here; `git status` here "
                    "and in the worker's clone shows what was edited meanwhile: undo it and run "
                    "again"
                )
        if not all(out.hash_info for out in stage.outs):
            raise MisfitError("came back without some of its outputs")


def _edited(name: str) -> str:
    return (
        f"{name} was edited while the flow ran, and workers have it as it was: no further stage "
        "was started; run again, with the same in every clone, to go on with what it is now"
    )
