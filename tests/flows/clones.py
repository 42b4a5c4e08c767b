"""Toy projects that are clones of one another, with a DVC remote between them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows import errand, lockfile
from flows.agreement import agreement
from flows.dvc import Outcome, Transcript
from flows.exchange import CloneExchange
from flows.graph import Graph, read_graph
from flows.processes import Commands
from flows.stage import stage_environment
from flows.workspace import Order, Workspace, WorkspaceWithRemote
from tests.flows.toy import Toy, environment

# A folder of parts as a dependency, an output that is a folder, and one file of it as a dependency.
DVC_YAML = """\
stages:
  base:
    cmd: echo base >> ran.log; cp source.txt base.txt
    deps: [source.txt]
    outs: [base.txt]
  part:
    matrix: {part: "${parts}"}
    cmd: >-
      echo part-${item.part} >> ran.log; mkdir -p parts; cat base.txt > parts/${item.part}.txt
    deps: [base.txt]
    params: [train]
    outs: ["parts/${item.part}.txt"]
  many:
    cmd: echo many >> ran.log; mkdir -p many; cp base.txt many/one; echo two > many/two
    deps: [base.txt]
    outs: [many]
  join:
    cmd: echo join >> ran.log; cat parts/*.txt many/two > joined.txt
    deps: [parts, many/two]
    outs: [joined.txt]
  summary:
    cmd: echo summary >> ran.log; mkdir -p results; cp joined.txt results/summary.md
    deps: [joined.txt]
    outs: [results/summary.md]
"""
PARAMS = "train: {epochs: 2}\nparts: [a, b]\n"
STAGES = ["base", "part@a", "part@b", "many", "join", "summary"]


@dataclass
class Said:
    """How an errand ended."""

    status: int
    transcript: Transcript
    lines: list[str]
    made: Any

    @property
    def outcome(self) -> Outcome:
        assert self.status == 0, self.lines
        return self.transcript.outcome


class Clones:
    """Projects by name, one of them the coordinator's ("here"), and what they do."""

    def __init__(
        self, folder: Path, remote: str, commands: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self.remote = folder, remote
        self._commands, self._monkeypatch = commands, monkeypatch
        self._toys: dict[str, Toy] = {}

    def __getitem__(self, name: str) -> Toy:
        if name not in self._toys:
            self._toys[name] = Toy(self.folder / name, DVC_YAML, PARAMS)
            self.configure(name)
        return self._toys[name]

    def configure(self, name: str) -> None:
        """Names the remote in the project's settings."""
        toy = self._toys[name]
        usual = ("no_scm = true", "analytics = false", "remote = between")
        site = f"site_cache_dir = {toy.root / '.dvc' / 'site'}"
        between = f"""['remote "between"']\n    url = {self.remote}\n"""
        toy.write(".dvc/config", "\n    ".join(["[core]", *usual, site]) + f"\n{between}")

    def objects(self) -> dict[str, Path]:
        """The files that the remote (a folder) keeps, by their hashes."""
        files = (Path(self.remote) / "files" / "md5").rglob("*")
        return {path.parent.name + path.name: path for path in files if path.is_file()}

    def runs(self) -> list[Path]:
        """The runs that the remote (a folder) keeps."""
        return [path for path in (Path(self.remote) / "runs").rglob("*") if path.is_file()]

    def do(self, name: str, stage: str, entries: dict[str, Any], **more: Any) -> Said:
        """Has `name` do the errand for a stage."""
        root = self[name].root
        command = errand.command(root, stage, errand.Errand(entries=entries, **more))
        said = self._execute(root, stage, command)
        if said.status == 0:
            said.made = errand.answer(root, stage)
        return said

    def _execute(self, root: Path, stage: str, command: list[str]) -> Said:
        transcript, lines = Transcript(stage), list[str]()

        def on_line(line: str) -> None:
            if (kept := transcript.read(line)) is not None:
                lines.append(kept)

        variables = {**stage_environment(), **environment()}
        return Said(self._commands.run(command, root, variables, on_line), transcript, lines, None)

    def make(self, name: str, *stages: str, source: str | None = None) -> dict[str, Any]:
        """Has `name` do the errands, with the entries of `source`; gives all there are then."""
        entries: dict[str, Any] = dict(lockfile.entries(self[source or name].root / "dvc.lock"))
        for stage in stages:
            said = self.do(name, stage, dict(entries))
            assert said.status == 0, said.lines
            entries[stage] = said.made
        return entries

    def exchange(self) -> tuple[CloneExchange, Graph]:
        """The coordinator's exchange, ready for what there is to do."""
        self._monkeypatch.chdir(self["here"].root)
        exchange = CloneExchange(Path.cwd(), ())
        graph = read_graph(Path.cwd(), clones=True)
        exchange.begin(graph)
        return exchange, graph

    def workspace(self, name: str) -> Workspace:
        root = self[name].root
        return WorkspaceWithRemote(
            root, agreement=agreement(self["here"].root, ()), own=name != "here"
        )

    def run(self, exchange: CloneExchange, graph: Graph, stage: str, name: str) -> Said:
        """Has `name` run the stage as the coordinator orders it; does not take it in."""
        order = Order(stage, inputs=exchange.inputs(graph.stages[stage]))
        workspace = self.workspace(name)
        said = self._execute(workspace.root, stage, workspace.command(order))
        if said.status == 0:
            said.made = workspace.made(order)
        return said

    def run_all(self, *names: str) -> list[str]:
        """A whole run, stage by stage, on these clones in turn; gives what was stale."""
        exchange, graph = self.exchange()
        stale = [name for name, stage in graph.stages.items() if stage.stale]
        for i, stage in enumerate(stale):
            local = exchange.is_local(graph.stages[stage])
            said = self.run(exchange, graph, stage, "here" if local else names[i % len(names)])
            assert said.status == 0, said.lines
            exchange.take_in(stage, said.made)
        return stale
