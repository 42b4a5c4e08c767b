"""The Prefect task that reproduces one DVC stage.

DVC decides whether the stage has to run at all; the task turns what DVC did into a Prefect state,
and retries what may pass by itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, Failed, State
from prefect.tasks import exponential_backoff

from flows.dvc import Fault, Outcome, Transcript, is_running
from flows.mending import mend_rwlock
from flows.processes import Commands, StoppedError
from flows.resources import Slots
from flows.stage_progress import StageProgress
from flows.workspace import Order, Workspace

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun
    from prefect.tasks import Task

RETRIES = 3
RETRY_SECONDS = 10  # the first delay; each further one doubles
BUSY_SECONDS = 10.0

# States' names beside those of `Fault`. `Cached` is the word that Prefect's UI and users know.
CACHED, NOT_RUN = "Cached", "NotRun"


@dataclass(frozen=True)
class Seat:
    """What a stage runs with, once its turn has come.

    environment: the variables beside the usual ones, such as the GPUs that it may use. leave:
    called with a line where the workspace turns out not to be one to run stages in.
    """

    workspace: Workspace
    commands: Commands
    environment: Mapping[str, str]
    leave: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Made:
    """The data of a completed stage's state.

    seconds: how long its command took; None where it did not run. made: `Workspace.made`.
    """

    seconds: float | None
    made: Any


class Place(Protocol):
    """Where stages run: this process, or whichever worker a stage came to."""

    def take(self, order: Order) -> AbstractContextManager[Seat]:
        """Waits for what the stage needs, and holds it."""


@dataclass(frozen=True)
class Here:
    """This process, in the coordinator's workspace.

    environment: variables beside the workspace's own.
    """

    workspace: Workspace
    slots: Slots
    commands: Commands
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def take(self, order: Order) -> Iterator[Seat]:  # noqa: ARG002
        """Waits for a free slot; its GPUs are the stage's, however many it needs."""
        with self.slots.take() as gpus:
            environment = {**self.workspace.environment, **self.environment, **gpus}
            yield Seat(self.workspace, self.commands, environment)


def may_pass_by_itself(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failure is worth a retry: not where params or data are invalid."""
    return state.name == Fault.FAILED.value


@task(
    name="stage",
    task_run_name="{order.stage}",
    cache_policy=NO_CACHE,  # DVC caches
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(RETRY_SECONDS),
    retry_condition_fn=may_pass_by_itself,
)
def reproduce_stage(
    order: Order,
    place: Place,
    upstream: Sequence[str] = (),  # noqa: ARG001  (Prefect draws the graph from it)
    missing: Sequence[str] = (),
) -> State[Any]:
    """Brings one stage up to date.

    missing: the upstream stages that did not complete; then this one cannot run. The state of one
    that completed holds its `Made`.
    """
    if missing:
        return Cancelled(name=NOT_RUN, message=f"needs {', '.join(missing)}")
    try:
        with place.take(order) as seat:
            return _dvc_repro(order, seat)
    except StoppedError:
        return Cancelled(message="the flow was stopped")


def made(state: State[Any]) -> Made | None:
    """What the state of a stage holds that has completed, here or on a worker."""
    held = getattr(state.data, "result", state.data)
    return held if isinstance(held, Made) else None


def outcome(state: State[Any]) -> Outcome | None:
    """What was done about the stage that ended so; None where it did not complete."""
    return Outcome(state.message) if state.is_completed() else None


def _dvc_repro(order: Order, seat: Seat) -> State[Any]:
    logger = get_run_logger()
    stage, commands, workspace = order.stage, seat.commands, seat.workspace
    command = workspace.command(order)
    while True:
        transcript = Transcript(stage)
        with _progress(stage) as progress:

            def on_line(line: str, transcript: Transcript = transcript) -> None:
                said = transcript.read(line)
                if said is not None and progress.see(said):
                    logger.info("%s", said)

            environment = {**stage_environment(), **seat.environment}
            start = time.monotonic()
            status = commands.run(command, workspace.root, environment, on_line)
            seconds = time.monotonic() - start
        if not transcript.busy:
            break
        # DVC does not wait for files that another DVC process is reading or writing. Failing
        # would not do: the other one may well be training this very stage for hours. But DVC
        # takes it for alive where any process has its PID, and then we would wait for ever.
        mended = mend_rwlock(workspace.root, is_running)
        if mended is not None:
            logger.warning("%s", mended)
            continue
        logger.info("Another DVC process is using the files of %s; waiting for it", stage)
        commands.pause(BUSY_SECONDS)
    if status != 0:
        fault, message = transcript.fault(status)
        if fault is Fault.MISFIT:
            seat.leave(message)
        return Failed(name=fault.value, message=message)
    ran = transcript.outcome is Outcome.RAN
    return Completed(
        name=None if ran else CACHED,
        message=transcript.outcome.value,
        data=Made(seconds if ran else None, workspace.made(order)),
    )


@contextlib.contextmanager
def _progress(stage: str) -> Iterator[StageProgress]:
    progress = StageProgress(stage)
    try:
        yield progress
    finally:
        progress.finish()


def stage_environment() -> dict[str, str]:
    """The environment of every stage, but for the GPUs that each may use."""
    # Unbuffered, so that lines arrive as they are printed; and with this Python first, so that
    # `python -m tasks.…` means this environment whether or not it is activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PATH": path}
