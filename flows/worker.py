"""What a Dask worker does to run stages: the plugin that the flow's coordinator sends it.

Before it offers to run anything, the worker looks whether its workspace and Prefect's server are
the coordinator's, and claims GPUs. A stage of which the scheduler no longer wants to know, because
the flow was cancelled or its coordinator has died, is ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Status, Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_CLOUD_API_URL

from flows.claims import claimed_gpus
from flows.processes import Commands, StoppedError
from flows.stage import Seat, stage_environment
from flows.worker_exit import exit_in_time
from flows.workspace import Facts, Order, Workspace, find_workspace, is_shared, working_root
from lp_core.errors import InputError, typed_line

HEALTH_SECONDS = 10.0


def starter(stages: StageWorker) -> WorkerPlugin:
    """The plugin to register: `stages`, for workers that may lack this project's code.

    The class is made here so that it travels by value.
    """
    import pickle

    name, topic, content = stages.name, stages.resource, pickle.dumps(stages)

    class Starter(WorkerPlugin):
        def __init__(self) -> None:
            self.name = name

        async def setup(self, worker: Any) -> None:
            import asyncio
            import os
            import pickle
            import sys

            self.stages, self.ended = None, False
            sys.path.append(os.getcwd())
            try:
                stages = await asyncio.to_thread(pickle.loads, content)  # imports for seconds
                await stages.setup(worker)
                self.stages = stages
                if self.ended:  # meanwhile
                    await stages.teardown(worker)
            except Exception as error:
                line = typed_line(error)
                if isinstance(error, ImportError):
                    line += "; start it in the project's folder, in the project's environment"
                worker.log_event(topic, {"worker": worker.address, "refused": line})

        async def teardown(self, worker: Any) -> None:
            self.ended = True
            if self.stages is not None:
                await self.stages.teardown(worker)

        def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
            if self.stages is not None:
                self.stages.transition(str(key), start, finish)

    return Starter()


@dataclass(frozen=True)
class OnWorker:
    """Whichever worker a stage came to. plugin: the name of its `StageWorker`."""

    plugin: str

    @contextmanager
    def take(self, order: Order) -> Iterator[Seat]:
        """Has the worker run the stage."""
        worker = get_worker()
        plugin = worker.plugins.get(self.plugin)
        if plugin is None:
            raise StoppedError("the flow has ended")
        stages: StageWorker = plugin.stages  # type: ignore[attr-defined]
        with stages.take(worker, order) as seat:
            yield seat


class StageWorker:
    """Runs stages on one worker.

    resource: what the worker then has of Dask's resources, and every stage asks for; a worker that
    does not fit never has it. On the topic of the same name it tells the coordinator.
    """

    def __init__(self, facts: Facts, resource: str) -> None:
        self.name = f"stages of {facts.host}:{facts.root}"
        self.facts = facts
        self.resource = resource
        self._pipeline = _pipeline(Path(facts.root))

    async def setup(self, worker: Worker) -> None:
        """Offers the worker for stages, or tells why not."""
        exit_in_time()
        _report_to(self.facts.api_url)
        self._running: dict[str, Commands] = {}
        self._commands = Commands()
        bound = worker.state.total_resources.get("GPU")
        told: dict[str, Any] = {"worker": worker.address, "host": socket.gethostname()}
        try:
            root = working_root()
            shared = is_shared(self.facts, root)
            told |= {"root": str(root), "shared": shared}
            told["clone"] = not shared and _pipeline(root) == self._pipeline
            self._workspace = await asyncio.to_thread(self._prepare, root)
            self._gpus = await asyncio.to_thread(claimed_gpus, bound)
        except InputError as error:
            worker.log_event(self.resource, told | {"refused": str(error)})
            return
        except asyncio.CancelledError:  # the worker is ending, and would wait for the thread
            threading.Thread(target=self._commands.stop, daemon=True).start()
            raise
        await self._offer(worker)
        told |= {"threads": worker.state.nthreads, "gpus": self._gpus.count}
        told |= {"others": self._gpus.others}
        worker.log_event(self.resource, told)

    async def _offer(self, worker: Worker) -> None:
        if worker.status not in (Status.running, Status.paused):  # it has begun to close
            return
        # A scheduler looks for work that waits for what a worker has when the worker comes to run,
        # and not when it gets it.
        before, worker.status = worker.status, Status.paused
        offer = {self.resource: worker.state.nthreads, "GPU": self._gpus.count}
        await worker.set_resources(**offer)
        if worker.status == Status.paused:
            worker.status = before

    def _prepare(self, root: Path) -> Workspace:
        _check_health(self.facts)
        return find_workspace(self.facts, root, self._commands)

    async def teardown(self, worker: Worker) -> None:
        """Ends the stages that run; afterwards the worker gets no others."""
        if self.resource in worker.state.total_resources and worker.status == Status.running:
            await worker.set_resources(**{self.resource: 0})
        await asyncio.to_thread(self._commands.close)
        with suppress(Exception):  # what the server has yet to take goes on in the background
            await asyncio.to_thread(EventsWorker.drain_all, timeout=0)

    def transition(self, key: str, start: str, finish: str) -> None:
        """Ends the stage of a task that nobody wants any more: it is released as it executes."""
        if finish == "released" and start in ("executing", "long-running"):
            commands = self._running.get(key)
            if commands is not None:  # ending it takes a while
                threading.Thread(target=commands.stop, daemon=True).start()

    @contextmanager
    def take(self, worker: Worker, order: Order) -> Iterator[Seat]:
        """What the stage runs with of which the current Dask task of `worker` is."""
        key = str(worker.get_current_task())
        self._commands.warm_up(stage_environment())
        with self._gpus.hold(order.gpus) as gpus, self._commands.part() as commands:
            self._running[key] = commands
            try:
                # It may have been released before, as when it waited for its next try.
                task = worker.state.tasks.get(key)
                if task is None or task.state not in ("executing", "long-running"):
                    raise StoppedError("the flow was cancelled")
                environment = {**self._workspace.environment, **gpus}
                yield Seat(self._workspace, commands, environment, partial(self._leave, worker))
            finally:
                del self._running[key]

    def _leave(self, worker: Worker, line: str) -> None:
        """Gets no further stages once this returns."""

        async def withdraw() -> None:
            await worker.set_resources(**{self.resource: 0})
            worker.log_event(self.resource, {"worker": worker.address, "refused": line})

        loop: asyncio.AbstractEventLoop = worker.loop.asyncio_loop  # type: ignore[attr-defined]
        asyncio.run_coroutine_threadsafe(withdraw(), loop).result()


def _report_to(api_url: str | None) -> None:
    """Has Prefect send the events of task runs to this server. It would keep the connection to the
    first one that the process has known."""
    if api_url is None or api_url.startswith(str(PREFECT_CLOUD_API_URL.value())):
        EventsWorker.set_client_override(None)
    else:
        EventsWorker.set_client_override(PrefectEventsClient, api_url=api_url)


def _pipeline(root: Path) -> str:
    """By which a clone is told from another project."""
    with suppress(OSError):
        return hashlib.sha256((root / "dvc.yaml").read_bytes()).hexdigest()
    return ""


def _check_health(facts: Facts) -> None:
    """InputError where stages could not report to the coordinator's Prefect server from here."""
    if facts.api_url is None:
        return
    advice = (
        "start it where all machines reach it (`prefect server start --host 0.0.0.0`) and name it "
        "to the flow (PREFECT_API_URL=http://HOST:4200/api)"
    )
    host = urllib.parse.urlsplit(facts.api_url).hostname
    if host in ("127.0.0.1", "localhost", "::1") and facts.host != socket.gethostname():
        raise InputError(f"Prefect's server {facts.api_url} is another one here; {advice}")
    try:
        urllib.request.urlopen(f"{facts.api_url}/health", timeout=HEALTH_SECONDS).close()
    except urllib.error.HTTPError:  # it answers
        pass
    except (OSError, ValueError) as error:
        raise InputError(
            f"Prefect's server {facts.api_url} does not answer here ({error}); {advice}"
        ) from error
