"""The Prefect task that reproduces one DVC stage.

DVC decides whether the stage has to run at all; the task turns what DVC did into a Prefect state,
and retries what may pass by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import quiet  # noqa: F401  (before Prefect is imported)

# isort: split
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, Failed, State
from prefect.tasks import exponential_backoff

from flows.artifacts import EpochProgress
from flows.processes import Commands, StoppedError
from flows.resources import Slots

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun
    from prefect.tasks import Task

INVALID_INPUT = 2  # with this code a stage says that its params or data are wrong
RETRIES = 3
RETRY_SECONDS = 10  # the first delay; each further one doubles
BUSY_SECONDS = 10.0
TAIL_LINES = 15

# States' names. `Cached` is the word that Prefect's UI and users know.
CACHED, FAILED, INVALID, REFUSED, NOT_RUN = "Cached", "Failed", "InvalidInput", "Refused", "NotRun"

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BLOCKER = re.compile(r"\s*\(PID (\d+)\): (.*)$")
_EXITED = re.compile(r"ERROR: failed to reproduce .*: failed to run: .*, exited with (-?\d+)$")


class Outcome(Enum):
    """What `dvc repro` did about a stage. Only UNCHANGED leaves its outputs as they were."""

    UNCHANGED = "unchanged"
    RESTORED = "restored from DVC's run cache"
    RAN = "ran"


class Workshop:
    """What the stages of one flow run share: the project, the places to run in, the commands."""

    def __init__(self, root: Path, slots: Slots, force: bool = False) -> None:
        self.root = root
        self.slots = slots
        self.force = force
        self.commands = Commands()
        self.outcomes: dict[str, Outcome] = {}


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failure may pass by itself: not where params or data are invalid."""
    return state.name == FAILED


@task(
    name="stage",
    task_run_name="{stage}",
    cache_policy=NO_CACHE,  # DVC caches
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(RETRY_SECONDS),
    retry_condition_fn=worth_retrying,
)
def reproduce(
    stage: str,
    workshop: Workshop,
    upstream: Sequence[str] = (),  # noqa: ARG001  (Prefect draws the graph from it)
    unchanged: bool = False,
    missing: Sequence[str] = (),
) -> State[None]:
    """Brings one stage up to date.

    unchanged: DVC found it so already, and nothing upstream has changed since.
    missing: the upstream stages that did not complete; then this one cannot run.
    """
    if missing:
        return Cancelled(name=NOT_RUN, message=f"needs {', '.join(missing)}")
    if unchanged:
        workshop.outcomes[stage] = Outcome.UNCHANGED
        return Completed(name=CACHED, message=Outcome.UNCHANGED.value)
    try:
        with workshop.slots.take() as gpus:
            return _dvc_repro(stage, workshop, gpus)
    except StoppedError:
        return Cancelled(message="the flow was stopped")


def _dvc_repro(stage: str, workshop: Workshop, gpus: dict[str, str]) -> State[None]:
    logger = get_run_logger()
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item"]
    command += [*(["--force"] if workshop.force else []), stage]
    gone: set[int] = set()
    while True:
        transcript = Transcript(stage)
        with _epochs(stage) as progress:

            def on_line(line: str, transcript: Transcript = transcript) -> None:
                line = transcript.see(line)
                logger.info("%s", line)
                progress.see(line)

            code = workshop.commands.run(command, workshop.root, _environment(gpus), on_line)
        if not transcript.busy:
            break
        # DVC does not wait for files that another DVC process is reading or writing. Failing
        # would not do: the other one may well be training this very stage for hours. But DVC
        # takes it for alive where any process has its PID, and then we would wait for ever. (One
        # that DVC names again has not just ended.)
        before = gone
        gone = {pid for pid, command in transcript.blockers if not _is_running(pid, command)}
        for pid in gone & before:
            line = f"Process {pid} is not that command, which ended without releasing the files"
            logger.error("%s", transcript.see(line))
        if gone & before:
            break
        logger.info("Another DVC process is using the files of %s; waiting for it", stage)
        workshop.commands.pause(BUSY_SECONDS)
    if code != 0:
        return transcript.failure(code)
    workshop.outcomes[stage] = transcript.outcome
    if transcript.outcome is Outcome.RAN:
        return Completed(message=Outcome.RAN.value)
    return Completed(name=CACHED, message=transcript.outcome.value)


def _is_running(pid: int, command: str) -> bool:
    """Whether process `pid` is what DVC noted as `command`, its sys.argv joined by spaces."""
    import psutil

    try:
        found = " ".join(psutil.Process(pid).cmdline()).split()
    except psutil.NoSuchProcess:  # nor a zombie, which DVC takes for alive
        return False
    except psutil.AccessDenied:  # another user's
        return True
    noted = command.split()
    # The program itself is a path in sys.argv, and may be `-m module` on the command line.
    return len(noted) == 1 or found[-1:] == noted[-1:]


@contextlib.contextmanager
def _epochs(stage: str) -> Iterator[EpochProgress]:
    progress = EpochProgress(stage)
    try:
        yield progress
    finally:
        progress.finish()


def _environment(gpus: dict[str, str]) -> dict[str, str]:
    # Unbuffered, so that lines arrive as they are printed; and with this Python first, so that
    # `python -m tasks.…` means this environment whether or not it is activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PATH": path, **gpus}


class Transcript:
    """What `dvc repro` printed about one stage, as far as it tells what happened."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.outcome = Outcome.RAN
        self.busy = False
        self.blockers: list[tuple[int, str]] = []  # PIDs and commands, where it is busy
        self._running = False

    def see(self, line: str) -> str:
        """Takes in one line; gives it back without colours."""
        line = _ANSI.sub("", line).rstrip()
        self._tail.append(line)
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
        elif self.busy and (blocker := _BLOCKER.match(line)):
            self.blockers.append((int(blocker[1]), blocker[2]))
        return line

    def failure(self, code: int) -> State[None]:
        """The state that the exit status `code` of `dvc repro` means, with the last lines."""
        said = "\n".join(line for line in self._tail if line and not _EXITED.search(line))
        exits = [int(found[1]) for line in self._tail if (found := _EXITED.search(line))]
        if exits:  # the stage's own command
            name = INVALID if exits[-1] == INVALID_INPUT else FAILED
            return Failed(name=name, message=f"{self._stage} {_ended(exits[-1])}:\n{said}")
        # What DVC itself objects to (a dependency that is not there, an output that was not
        # made) it will object to again; what it did not expect (a full disk, a lost network) it
        # may not.
        unexpected = code < 0 or "unexpected error" in said or "Unable to acquire lock" in said
        name = FAILED if unexpected else REFUSED
        return Failed(name=name, message=f"dvc repro {self._stage} {_ended(code)}:\n{said}")


def _ended(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"exited with {status}"
