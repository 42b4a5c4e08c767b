"""DVC's command line and its English: how to ask for one stage, and what the answer means."""

from __future__ import annotations

import re
import sys
from collections import deque
from enum import Enum

TAIL_LINES = 15

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_EXITED = re.compile(r"ERROR: failed to reproduce .*: failed to run: .*, exited with (-?\d+)$")
_BROKEN_RWLOCK = re.compile(
    r"ERROR: (failed to reproduce '.*': )?(Unable to read RWLock-file|RWLock-file .* format error)"
)
_INVALID_INPUT = 2  # with this code a stage says that its params or data are wrong
# Of `flows.clone`: the DVC remote did not give or take what it should; the clone does not fit.
TRANSFER_FAILED, MISFIT = 75, 76
# What DVC adds when a stage has ended; what it says of git and of remotes is for people who type.
_HINTS = re.compile(
    r"(Generating|Updating) lock file '.*'"
    r"|To track the changes with git, run:|\s*git add .*"
    r"|To enable auto staging, run:|\s*dvc config core\.autostage true"
    r"|Use `dvc push` to send your updates to remote storage\."
    r"|Data and pipelines are up to date\."
)


class Outcome(Enum):
    """What `dvc repro` did about a stage. Only UNCHANGED leaves its outputs as they were."""

    UNCHANGED = "unchanged"
    RESTORED = "restored from DVC's run cache"
    RAN = "ran"


class Fault(Enum):
    """Why a stage failed: its params or data are wrong, DVC will not run it, the clone is not one
    to run it in, or anything else."""

    INVALID_INPUT = "InvalidInput"
    REFUSED = "Refused"
    MISFIT = "Misfit"
    FAILED = "Failed"


def repro_command(stage: str, force: bool = False) -> list[str]:
    """The command that brings one stage up to date, beside others like it."""
    return [sys.executable, "-m", "dvc", *repro_arguments(stage, force)]


def repro_arguments(stage: str, force: bool = False) -> list[str]:
    """What `dvc` takes for that."""
    forced = ["--force"] if force else []
    return ["--wait-for-lock", "repro", "--single-item", *forced, stage]


def is_hint(line: str) -> bool:
    """Whether DVC says this to people who type its commands."""
    return _HINTS.fullmatch(line) is not None


class Transcript:
    """What `dvc repro` printed about one stage, as far as it tells what happened."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.outcome = Outcome.RAN
        # Another DVC process is using the stage's files, or was killed as it noted that.
        self.busy = False
        self._running = False

    def read(self, line: str) -> str | None:
        """Takes in one line; gives it back without colours, or None if it is not worth logging."""
        line = _ANSI.sub("", line).rstrip()
        if is_hint(line):
            return None
        self._tail.append(line)
        if _BROKEN_RWLOCK.match(line):  # before the stage ran, or after
            self.busy = True
        if self._running:
            return line  # the stage is speaking, not DVC
        name = f"'{self._stage}'"
        if line == f"Running stage {name}:":
            self._running = True
            self._tail.clear()
        elif line in (f"Stage {name} didn't change, skipping", f"{name} didn't change, skipping"):
            self.outcome = Outcome.UNCHANGED
        elif line == f"Stage {name} is cached - skipping run, checking out outputs":
            self.outcome = Outcome.RESTORED
        elif "is busy, it is being blocked by" in line:
            self.busy = True
        return line

    def fault(self, status: int) -> tuple[Fault, str]:
        """What the exit status of `dvc repro` means, and a message with the last lines."""
        if status in (TRANSFER_FAILED, MISFIT):
            said = next((line for line in reversed(self._tail) if line), "")
            fault = Fault.FAILED if status == TRANSFER_FAILED else Fault.MISFIT
            return fault, f"{self._stage}: {said.removeprefix('error: ')}"
        tail = "\n".join(line for line in self._tail if line and not _EXITED.search(line))
        statuses = [int(match[1]) for line in self._tail if (match := _EXITED.search(line))]
        if statuses:  # the stage's own command
            invalid = statuses[-1] == _INVALID_INPUT
            message = f"{self._stage} {_ended(statuses[-1])}:\n{tail}"
            return Fault.INVALID_INPUT if invalid else Fault.FAILED, message
        # What DVC itself objects to (a dependency that is not there, an output that was not
        # made) it will object to again; what it did not expect (a full disk, a lost network) it
        # may not.
        unexpected = status < 0 or "unexpected error" in tail or "Unable to acquire lock" in tail
        message = f"dvc repro {self._stage} {_ended(status)}:\n{tail}"
        return Fault.FAILED if unexpected else Fault.REFUSED, message


def is_running(pid: int, command: str) -> bool:
    """Whether process `pid` is what DVC noted as `command`, its sys.argv joined by spaces."""
    import psutil

    try:
        command_line = " ".join(psutil.Process(pid).cmdline()).split()
    except psutil.NoSuchProcess:  # nor a zombie, which DVC takes for alive
        return False
    except psutil.AccessDenied:  # another user's
        return True
    noted = command.split()
    # The program itself is a path in sys.argv, and may be `-m module` on the command line.
    return len(noted) == 1 or command_line[-1:] == noted[-1:]


def _ended(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"exited with {status}"
