"""`--dry-run`: what a flow would run and how long that took last time, without running it.

`params` and `code` do run where they are stale, in seconds: before, nobody knows what an edit
concerns. Of a stage that builds on a stale one, nobody knows before that one has run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from flows.durations import Durations, spoken
from flows.dvc import Fault, Transcript, repro_command
from flows.estimate import Expectation, group, longest_chain, time_left
from flows.graph import Graph, find_root, look_at_graph
from flows.params import devices, set_params
from flows.processes import Commands
from flows.project import FIRST
from flows.resources import Slots
from flows.stage import stage_environment
from flows.wish import Wish, switch
from lp_core.errors import InputError

NAMED = 8


class NotRunError(Exception):
    """`params` or `code` has failed for another reason than invalid input."""


@dataclass(frozen=True)
class Plan:
    """What a flow would do.

    runs: the stages that are stale. may_run: those that build on one of them. seconds: what each of
    both is expected to take, where that is known.
    """

    graph: Graph
    runs: tuple[str, ...]
    may_run: tuple[str, ...]
    seconds: Mapping[str, float]

    @classmethod
    def of(cls, graph: Graph, last: Mapping[str, float], force: bool = False) -> Plan:
        """last: what stages took when they last ran. force: whether all stages run."""
        runs = [name for name, stage in graph.stages.items() if force or stage.stale]
        acting = set(runs)
        may_run = []
        for name, stage in graph.stages.items():
            if name not in acting and not acting.isdisjoint(stage.upstream):
                acting.add(name)
                may_run.append(name)
        expected = Expectation(last)
        known = {name: expected.seconds(name) for name in graph.stages if name in acting}
        seconds = {name: each for name, each in known.items() if each is not None}
        return cls(graph, tuple(runs), tuple(may_run), seconds)

    def lines(self, flow: str, at_once: int) -> Iterator[str]:
        """The plan for people. at_once: how many stages would run side by side."""
        count, acting = len(self.graph.stages), [*self.runs, *self.may_run]
        if not acting:
            yield f"{flow}: {count} stages, all up to date"
            return
        yield (
            f"{flow}: {count} stages, of which {len(self.runs)} would run, {len(self.may_run)} may "
            f"run (they build on those) and {count - len(acting)} are up to date"
        )
        yield ""
        yield from _aligned([_HEAD, *(self._row(name) for name in self._groups())])
        yield ""
        if self.seconds:
            yield from self._sums(at_once)
        unknown = list(dict.fromkeys(group(name) for name in acting if name not in self.seconds))
        if unknown:
            yield f"Not counted, for none has run here yet: {_some(unknown)}"
        yield "What DVC's run cache has is restored and does not run."

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(group(name) for name in self.graph.stages))

    def _row(self, siblings: str) -> list[str]:
        def some(names: Sequence[str]) -> list[str]:
            return [name for name in names if group(name) == siblings]

        runs, may_run = some(self.runs), some(self.may_run)
        known = [self.seconds[name] for name in (*runs, *may_run) if name in self.seconds]
        counts = (len(runs), len(may_run), len(some([*self.graph.stages])))
        cells = (counts[0], counts[1], counts[2] - counts[0] - counts[1])
        times = [spoken(fmean(known)), spoken(sum(known))] if known else ["", ""]
        return [siblings, *(str(cell or "·") for cell in cells), *times]

    def _sums(self, at_once: int) -> Iterator[str]:
        acting = {*self.runs, *self.may_run}
        upstream = {
            name: [up for up in stage.upstream if up in acting]
            for name, stage in self.graph.stages.items()
            if name in acting
        }
        chain = longest_chain(upstream, self.seconds)
        length = sum(self.seconds[name] for name in chain)
        line = f"One after the other: {spoken(sum(self.seconds.values()))}"
        if at_once > 1:
            side_by_side = time_left(upstream, self.seconds, at_once)
            line = f"{line}; {at_once} at once: about {spoken(side_by_side)}"
        yield f"{line}; the longest chain: {spoken(length)} ({_some(chain)})"


_HEAD = ["stage", "would run", "may run", "up to date", "each, last time", "together"]


def dry_run(flow: str, wish: Wish) -> Iterator[str]:
    """The lines to print. InputError where the flow cannot run; NotRunError."""
    if wish.overrides:
        raise InputError(
            "--set: a dry run changes no params; set them in params.yaml, or run without --dry-run"
        )
    root = find_root()
    set_params(root / "params.yaml", [])  # valid?

    def look() -> Graph:
        return look_at_graph(root, wish.targets, switch(flow, wish.targets))

    graph = look()
    for _ in FIRST:  # the one may make the other stale
        before = [name for name in FIRST if name in graph.stages and graph.stages[name].stale]
        if not before:
            break
        yield f"Running {' and '.join(before)} first: only then it shows what else is stale"
        with Commands() as commands:
            for name in before:
                _run(name, root, commands)
        graph = look()
    plan = Plan.of(graph, Durations(root).last, wish.force)
    at_once = wish.at_once(len(graph.stages))
    yield from plan.lines(flow, Slots(at_once, devices=devices(root / "params.yaml")).count)


def _run(stage: str, root: Path, commands: Commands) -> None:
    transcript = Transcript(stage)

    def on_line(line: str) -> None:
        transcript.read(line)

    status = commands.run(repro_command(stage), root, stage_environment(), on_line)
    if status:
        fault, message = transcript.fault(status)
        raise (InputError if fault is Fault.INVALID_INPUT else NotRunError)(message)


def _some(names: Sequence[str]) -> str:
    """At most NAMED of them: the first and the last."""
    if len(names) <= NAMED:
        return ", ".join(names)
    left = len(names) - NAMED
    return f"{', '.join(names[: NAMED - 1])}, … ({left} more), {names[-1]}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for first, *cells in rows:
        rest = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{first:<{widths[0]}}  {'  '.join(rest)}".rstrip()
