"""Kills a small real experiment at many moments, goes on each time, and compares the outcome."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psutil

from tests.drill import experiment
from tests.drill.marked import Mark, command_line
from tests.drill.plan import Kill, kills

COMMANDS = {
    "dvc repro": [sys.executable, "-m", "dvc", "repro"],
    "flow": [sys.executable, "-m", "flows.imp_pool"],
}
HOOK = Path(__file__).with_name("hook")
SURVIVED = 5.0  # seconds after which a command that has not ended goes on
PATIENCE = 1200.0  # seconds for a command to end, on a machine however busy
REST = 25.0  # seconds for what it has started to be gone then
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
    say: Callable[[str], None] = print
    moments: Counter[str] = field(default_factory=Counter)
    whom: Counter[str] = field(default_factory=Counter)
    finished: int = 0  # runs that came to their end and were compared
    faults: list[str] = field(default_factory=list)

    def run(self, number: int, seed: int) -> None:
        """Makes that many kills. `faults` then has a line for whatever was not as it should be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.undisturbed = experiment.new(self.folder / "undisturbed")
        self.project = experiment.new(self.folder / "disturbed")
        self._control = self.folder / "control"
        self._control.mkdir()
        started = time.monotonic()
        self._finish(self.undisturbed, "flow")
        self._seconds = time.monotonic() - started
        self.say(f"undisturbed: {self._seconds:.0f} s")
        plan = islice(kills(seed), number)
        kill, made = next(plan, None), 0
        while kill is not None:
            command = self._start(self.project, kill.runner)
            struck = False
            while kill is not None and (where := self._strike(command, kill)):
                struck = True
                made += 1
                self.moments[where] += 1
                self.whom[f"{kill.signal.name} of {kill.whom}"] += 1
                self.say(
                    f"{made}/{number} {command.runner}: {kill.signal.name} of {kill.whom}, {where}"
                )
                ends = command.runner == "flow" and kill.whom in ("flow", "all")
                kill = next(plan, None)
                if ends or not self._goes_on(command):
                    break
            self._end(command)
            self._look_at(command, struck)
        self._finish(self.project, "dvc repro")
        self._compare()

    def _start(self, project: experiment.Project, runner: str) -> "_Command":
        mark = Mark()
        environment = {k: v for k, v in project.env.items() if not k.startswith("PREFECT_")}
        environment |= mark.environment | {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PYTHONPATH": os.pathsep.join([str(HOOK), str(project.root)]),
            "DRILL_CONTROL": str(self._control),
        }
        self._disarm()
        output = self.folder / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                COMMANDS[runner],
                cwd=project.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # What a shell runs in the background ignores SIGINT.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        return _Command(runner, process, mark, output)

    def _finish(self, project: experiment.Project, runner: str) -> None:
        """Runs the command until it succeeds, with what the docs tell for where it does not."""
        for _ in range(4):
            command = self._start(project, runner)
            self._end(command)
            if command.process.returncode == 0:
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
        due = None
        while command.process.poll() is None:
            where = None
            if due is None and (kill.early or command.find("dvc")):
                due = time.monotonic() + kill.after * self._seconds
            if said.exists() and (path := said.read_text()):
                where = f"dvc writing {_kind(path)}"
            elif kill.write is None and due is not None and time.monotonic() > due:
                where = command.moment()
            if where is not None and (victims := command.find(kill.whom)):
                for victim in victims:
                    _send(victim, kill.signal)
                return where
            time.sleep(0.02)
        return None

    def _goes_on(self, command: "_Command") -> bool:
        """Whether the command survives what was killed, as a flow does and tries again."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.process.wait(SURVIVED)
        return command.process.poll() is None

    def _look_at(self, command: "_Command", struck: bool) -> None:
        """What a command that has ended must not have done."""
        if command.process.returncode == 0:
            self._compare()
            experiment.forget(self.project)
        elif not struck and not self._remedy(command):
            self._fault(f"{command.runner} failed by itself:\n{command.tail()}")
        elif command.runner == "flow" and "\nTraceback" in command.text():
            self._fault(f"a traceback:\n{command.tail()}")

    def _disarm(self) -> None:
        for name in ("armed", "writes", "stopped"):
            (self._control / name).unlink(missing_ok=True)

    def _fault(self, text: str) -> None:
        self.say(text)
        self.faults.append(text)

    def _end(self, command: "_Command") -> None:
        try:
            command.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._fault(f"{command.runner} hangs:\n{command.tail()}")
        for line in command.mark.left_after(REST if command.process.poll() is not None else 0):
            self._fault(f"{command.runner} has left a process: {line}")
        for process in command.mark.processes():
            _send(process, signal.SIGKILL)
        command.process.wait()

    def _remedy(self, command: "_Command") -> bool:
        """Does what the docs tell for what the command said; False where they tell nothing."""
        text = command.text()
        if command.runner == "dvc repro" and any(words in text for words in BROKEN_LOCK_FILE):
            (self.project.root / "dvc.lock").unlink(missing_ok=True)
            return True
        if command.runner == "dvc repro" and any(words in text for words in BROKEN_RWLOCK):
            (self.project.root / ".dvc" / "tmp" / "rwlock").unlink(missing_ok=True)
            return True
        return False

    def _compare(self) -> None:
        self._finish(self.project, "flow")  # which clears away what killed processes have left
        self.finished += 1
        for line in experiment.differences(self.project, self.undisturbed):
            self._fault(line)


@dataclass
class _Command:
    runner: str
    process: subprocess.Popen[bytes]
    mark: Mark
    output: Path

    def find(self, whom: str) -> list[psutil.Process]:
        """Its processes that a kill is meant for; none where there are no such at the moment."""
        processes = self.mark.processes()
        if whom == "all":
            return processes
        if whom == "flow":
            return [p for p in processes if p.pid == self.process.pid]
        words = " -m tasks." if whom == "stage" else " repro"
        return [p for p in processes if words in command_line(p) and "leash" not in command_line(p)]

    def moment(self) -> str:
        """What it is doing."""
        lines = [command_line(p) for p in self.mark.processes()]
        stages = [
            line.partition(" -m tasks.")[2].split()[0] for line in lines if "-m tasks." in line
        ]
        if stages:
            return f"stage {stages[-1]} running"
        if any(" repro" in line for line in lines):
            return "dvc before or after a stage"
        return "flow between stages"

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    def tail(self) -> str:
        """The last of it."""
        return "\n".join(f"    {line}" for line in self.text().splitlines()[-25:])


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


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
