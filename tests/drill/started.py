"""A process that a drill has started, and all that descends from it."""

import contextlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.drill.marked import Mark, command_line

# What the command lines of a stage, and of the process that has DVC run it, have in them.
STAGE = " -m tasks."
DVC = (" repro", "flows.clone")


@dataclass
class Started:
    """A process that was started, and all that descends from it."""

    process: subprocess.Popen[bytes]
    mark: Mark
    output: Path

    @classmethod
    def start(
        cls, command: Sequence[str], root: Path, environment: Mapping[str, str], output: Path
    ) -> "Started":
        """Starts a command in `root`. What it prints is added to the file `output`."""
        mark = Mark()
        with output.open("ab") as file:
            process = subprocess.Popen(
                command,
                cwd=root,
                env={**environment, **mark.environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # What a shell runs in the background ignores SIGINT.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        return cls(process, mark, output)

    @property
    def alive(self) -> bool:
        """Whether the process itself is there."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Kills it and what descends from it, if there is anything left."""
        for process in self.mark.processes():
            send(process, signal.SIGKILL)
        self.process.wait()

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    def tail(self) -> str:
        """The last of it."""
        return "\n".join(f"    {line}" for line in self.text().splitlines()[-25:])


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Signals a process that may have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def runs_stage(process: psutil.Process) -> bool:
    """Whether the process is a stage's."""
    return STAGE in command_line(process)


def runs_dvc(process: psutil.Process) -> bool:
    """Whether it is the DVC process of a stage."""
    line = command_line(process)
    return any(words in line for words in DVC) and "leash" not in line
