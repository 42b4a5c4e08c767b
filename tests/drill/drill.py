"""Kills a small real experiment at many moments, goes on each time, and compares the outcome."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.dag.project import Project
from tests.drill import experiment
from tests.drill.cluster import Cluster
from tests.drill.experiment import Experiment
from tests.drill.marked import command_line
from tests.drill.plan import Kill
from tests.drill.started import Started, runs_dvc, runs_stage, send

HOOK = Path(__file__).with_name("hook")
SURVIVED = 5.0  # seconds after which a command that has not ended goes on
PATIENCE = 1200.0  # seconds for a command to end, on a machine however busy
REST = 25.0  # seconds for what it has started to be gone then
TRIES = 3  # so often a flow starts a stage again that was killed
# Without these a command ends, whatever runs it.
VITAL = ("flow", "scheduler", "all")
# What the docs tell users of `dvc repro` to do (docs/machines.md).
BROKEN_LOCK_FILE = (
    "dvc.lock' validation failed",
    "dvc.lock' is invalid",
    "object has no attribute",
)
BROKEN_RWLOCK = ("RWLock-file", "it is being blocked by")


@dataclass
class Drill:
    """folder: where the copies lie. say: prints a line."""

    folder: Path
    experiment: Experiment = experiment.SMALL
    say: Callable[[str], None] = print
    moments: Counter[str] = field(default_factory=Counter)
    whom: Counter[str] = field(default_factory=Counter)
    finished: int = 0  # runs that came to their end and were compared
    faults: list[str] = field(default_factory=list)

    def run(self, plan: Iterable[Kill]) -> None:
        """Makes these kills. `faults` then has a line for whatever was not as it should be."""
        due = deque(plan)
        number = len(due)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._control = self.folder / "control"
        self._control.mkdir()
        self.undisturbed = self.experiment.new(self.folder / "undisturbed")
        self.project = self.experiment.new(self.folder / "disturbed")
        self._clusters: dict[str, Cluster] = {}
        self._remote = self.folder / "remote"
        self._clones: list[Project] = []
        if any(kill.runner == "clones" for kill in due):
            self._clones = self.experiment.clones(self.project, self._remote, 2)
            # Tables name the commit.
            shutil.rmtree(self.undisturbed.root / ".git")
            shutil.copytree(self.project.root / ".git", self.undisturbed.root / ".git")
        started = time.monotonic()
        self.undisturbed.repro(*self.experiment.targets)
        self._seconds = time.monotonic() - started
        self.say(f"undisturbed: {self._seconds:.0f} s")
        while due:
            command = self._start(due[0].runner)
            struck: list[Kill] = []
            while due and (where := self._strike(command, due[0])):
                kill = due.popleft()
                struck.append(kill)
                self.moments[f"{command.runner}: {where}"] += 1
                self.whom[f"{command.runner}: {kill.signal.name} of {kill.whom}"] += 1
                self.say(
                    f"{number - len(due)}/{number} {command.runner}: "
                    f"{kill.signal.name} of {kill.whom}, {where}"
                )
                if not self._goes_on(command, kill):
                    break
            self._end(command)
            self._look_at(command, struck)
        self._compare(command)
        for runner, cluster in self._clusters.items():
            for line in cluster.end(REST):
                self._fault(f"{runner}: the cluster has left a process: {line}")

    def _cluster(self, runner: str) -> Cluster:
        """The one that the runner needs; there once it has been asked for."""
        if runner not in self._clusters:
            projects = self._clones if runner == "clones" else [self.project, self.project]
            (folder := self.folder / f"cluster-{runner}").mkdir()
            roots = [project.root for project in projects]
            self._clusters[runner] = Cluster(roots, self._environment(), folder)
        self._clusters[runner].tick()
        return self._clusters[runner]

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in self.project.env.items() if not k.startswith("PREFECT_")}
        return inherited | {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PYTHONPATH": os.pathsep.join([str(HOOK), str(self.project.root)]),
            "DRILL_CONTROL": str(self._control),
        }

    def _start(self, runner: str) -> "_Command":
        self._disarm()
        output = self.folder / "output"
        output.unlink(missing_ok=True)
        cluster = None
        if runner == "dvc repro":
            words = ["dvc", "repro", *self.experiment.targets]
        else:
            targets = ["--targets", *self.experiment.targets] if self.experiment.targets else []
            words = ["flows.imp_pool", *targets]
            if runner != "flow":
                cluster = self._cluster(runner)
                words += ["--dask", cluster.address]
        command = [sys.executable, "-m", *words]
        started = Started.start(command, self.project.root, self._environment(), output)
        return _Command(runner, started, cluster)

    def _finish(self, runner: str) -> None:
        """Runs the command until it succeeds, with what the docs tell for where it does not."""
        for _ in range(4):
            command = self._start(runner)
            self._end(command)
            if command.started.process.returncode == 0:
                return
            if not self._remedy(command):
                break
        self._fault(f"{runner} does not come to its end:\n{command.tail()}")

    def _strike(self, command: "_Command", kill: Kill) -> str | None:
        """Waits for the moment and makes the kill; where it fell, or None where all was over."""
        self._disarm()
        if kill.write is not None:
            (self._control / "armed").write_text(f"{kill.write} {int(kill.half)}")
        said = self._control / "stopped"
        due = time.monotonic() + kill.after * self._seconds if kill.early else None
        while command.started.alive:
            command.tick()
            where = None
            if kill.write is not None:
                if said.exists() and (path := said.read_text()):
                    where = f"dvc writing {_kind(path)}"
            elif due is None and command.find("dvc"):
                due = time.monotonic() + kill.after * self._seconds
            elif due is not None and time.monotonic() > due:
                where = command.moment()
            if where is not None and (victims := command.find(kill.whom)):
                for victim in victims:
                    send(victim, kill.signal)
                return where
            # A look at all processes takes a hundredth of a second.
            time.sleep(0.02 if kill.write is not None else 0.2)
        return None

    def _goes_on(self, command: "_Command", kill: Kill) -> bool:
        """Whether the command survives the kill, as a flow does and tries again."""
        if command.runner != "dvc repro" and kill.whom in VITAL:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.started.process.wait(SURVIVED)
        return command.started.alive

    def _look_at(self, command: "_Command", struck: list[Kill]) -> None:
        """What a command that has ended must not have done."""
        vital = any(kill.whom in VITAL for kill in struck) or len(struck) > TRIES
        if command.started.process.returncode == 0:
            self._compare(command)
            for project in (self.project, *self._clones):
                self.experiment.forget(project)
            for path in self._remote.glob("*"):
                shutil.rmtree(path)
        elif not struck and not self._remedy(command):
            self._fault(f"{command.runner} failed by itself:\n{command.tail()}")
        elif command.runner != "dvc repro" and not vital:
            self._fault(f"{command.runner} did not go on:\n{command.tail()}")
        elif command.runner != "dvc repro" and "\nTraceback" in command.started.text():
            self._fault(f"a traceback:\n{command.tail()}")

    def _disarm(self) -> None:
        for name in ("armed", "writes", "stopped"):
            (self._control / name).unlink(missing_ok=True)

    def _fault(self, text: str) -> None:
        self.say(text)
        self.faults.append(text)

    def _end(self, command: "_Command") -> None:
        patience = time.monotonic() + PATIENCE
        while command.started.alive and time.monotonic() < patience:
            command.tick()
            time.sleep(0.1)
        ended = not command.started.alive
        if not ended:
            self._fault(f"{command.runner} hangs:\n{command.tail()}")
        for line in command.left_after(REST if ended else 0):
            self._fault(f"{command.runner} has left a process: {line}")
        command.started.kill()

    def _remedy(self, command: "_Command") -> bool:
        """Does what the docs tell for what the command said; False where they tell nothing."""
        text = command.started.text()
        if command.runner == "dvc repro" and any(words in text for words in BROKEN_LOCK_FILE):
            (self.project.root / "dvc.lock").unlink(missing_ok=True)
            return True
        if command.runner == "dvc repro" and any(words in text for words in BROKEN_RWLOCK):
            (self.project.root / ".dvc" / "tmp" / "rwlock").unlink(missing_ok=True)
            return True
        return False

    def _compare(self, last: "_Command") -> None:
        # A flow clears away what killed processes have left.
        self._finish("flow" if last.runner == "dvc repro" else last.runner)
        self.finished += 1
        for line in self.experiment.differences(self.project, self.undisturbed):
            self._fault(line)
        for root in (*(clone.root for clone in self._clones), self._remote):
            for line in experiment.left_over(root):
                self._fault(line)


@dataclass
class _Command:
    """What runs the experiment, and the cluster that it runs it on, if any."""

    runner: str
    started: Started
    cluster: Cluster | None

    def tick(self) -> None:
        """Has its cluster come back from kills."""
        if self.cluster is not None:
            self.cluster.tick()

    def find(self, whom: str) -> list[psutil.Process]:
        """Its processes that a kill is meant for; none where there are no such at the moment."""
        if whom == "flow":
            return self.started.mark.processes()[:1]
        if self.cluster is not None and whom == "worker":
            return self.cluster.find_worker()
        if self.cluster is not None and whom == "scheduler":
            return self.cluster.find_scheduler()
        processes = self._processes()
        return processes if whom == "all" else [*filter(_kind_of(whom), processes)]

    def _processes(self) -> list[psutil.Process]:
        of_cluster = self.cluster.processes() if self.cluster is not None else []
        return [*self.started.mark.processes(), *of_cluster]

    def moment(self) -> str:
        """What it is doing."""
        processes = self._processes()
        stages = [command_line(p).partition(" -m tasks.")[2].split() for p in processes]
        names = [words[0] for words in stages if words]
        if names:
            return f"stage {names[-1]} running"
        if any(map(runs_dvc, processes)):
            return "dvc before or after a stage"
        return "flow between stages"

    def left_after(self, seconds: float) -> list[str]:
        """Command lines of what is left of it once that has had so much time."""
        left = self.started.mark.left_after(seconds)
        return [*left, *(self.cluster.left_after(seconds) if self.cluster is not None else ())]

    def tail(self) -> str:
        """The last of what it and its cluster have printed."""
        more = [self.cluster.tail()] if self.cluster is not None else []
        return "\n".join([self.started.tail(), *more])


def _kind_of(whom: str) -> Callable[[psutil.Process], bool]:
    return runs_dvc if whom == "dvc" else runs_stage  # a flow without workers: the stage


def _kind(path: str) -> str:
    """What DVC writes there, by its name."""
    for part, kind in (
        ("dvc.lock", "dvc.lock"),
        ("rwlock", "its read-write lock"),
        ("runs", "its run cache"),
        ("cache", "its cache"),
        (".dvc", "its own folder"),
    ):
        if part in path:
            return kind
    return "outputs"
