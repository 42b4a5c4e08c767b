"""The Prefect task that reproduces one DVC stage.

DVC decides whether the stage has to run at all; the task turns what DVC did into a Prefect state,
and retries what may pass by itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, Failed, State
from prefect.tasks import exponential_backoff

from flows.artifacts import EpochProgress
from flows.dvc import Fault, Outcome, Transcript, is_running, repro_command
from flows.mending import mend_rwlock
from flows.processes import Commands, StoppedError
from flows.resources import Slots

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun
    from prefect.tasks import Task

RETRIES = 3
RETRY_SECONDS = 10  # the first delay; each further one doubles
BUSY_SECONDS = 10.0

# States' names beside those of `Fault`. `Cached` is the word that Prefect's UI and users know.
CACHED, NOT_RUN = "Cached", "NotRun"


@dataclass
class RunContext:
    """What the stages of one flow run share.

    `outcomes`: what has been done, since the graph was read, about each stage that completed.
    """

    root: Path
    slots: Slots
    commands: Commands
    force: bool = False
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def may_pass_by_itself(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failure is worth a retry: not where params or data are invalid."""
    return state.name == Fault.FAILED.value


@task(
    name="stage",
    task_run_name="{stage}",
    cache_policy=NO_CACHE,  # DVC caches
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(RETRY_SECONDS),
    retry_condition_fn=may_pass_by_itself,
)
def reproduce_stage(
    stage: str,
    context: RunContext,
    upstream: Sequence[str] = (),  # noqa: ARG001  (Prefect draws the graph from it)
    missing: Sequence[str] = (),
) -> State[None]:
    """Brings one stage up to date.

    missing: the upstream stages that did not complete; then this one cannot run.
    """
    if missing:
        return Cancelled(name=NOT_RUN, message=f"needs {', '.join(missing)}")
    try:
        with context.slots.take() as gpus:
            return _dvc_repro(stage, context, gpus)
    except StoppedError:
        return Cancelled(message="the flow was stopped")


def _dvc_repro(stage: str, context: RunContext, gpus: dict[str, str]) -> State[None]:
    logger = get_run_logger()
    command = repro_command(stage, context.force)
    while True:
        transcript = Transcript(stage)
        with _epochs(stage) as progress:

            def on_line(line: str, transcript: Transcript = transcript) -> None:
                worth_logging = transcript.read(line)
                if worth_logging is not None:
                    logger.info("%s", worth_logging)
                    progress.see(worth_logging)

            environment = stage_environment() | gpus
            status = context.commands.run(command, context.root, environment, on_line)
        if not transcript.busy:
            break
        # DVC does not wait for files that another DVC process is reading or writing. Failing
        # would not do: the other one may well be training this very stage for hours. But DVC
        # takes it for alive where any process has its PID, and then we would wait for ever.
        mended = mend_rwlock(context.root, is_running)
        if mended is not None:
            logger.warning("%s", mended)
            continue
        logger.info("Another DVC process is using the files of %s; waiting for it", stage)
        context.commands.pause(BUSY_SECONDS)
    if status != 0:
        fault, message = transcript.fault(status)
        return Failed(name=fault.value, message=message)
    context.outcomes[stage] = transcript.outcome
    if transcript.outcome is Outcome.RAN:
        return Completed(message=Outcome.RAN.value)
    return Completed(name=CACHED, message=transcript.outcome.value)


@contextlib.contextmanager
def _epochs(stage: str) -> Iterator[EpochProgress]:
    progress = EpochProgress(stage)
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
