"""Runs stages on the workers of a Dask cluster, by `prefect-dask`.

The cluster is there already (its scheduler's address), or consists of worker processes of this
machine that live as long as the flow. Workers come and go as they like: what a worker had not
finished when it died, Dask runs on another one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from distributed import LocalCluster
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import RunInput
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_dask.client import PrefectDaskClient
from prefect_dask.task_runners import PrefectDaskFuture

from flows import ending
from flows.graph import Stage
from flows.local_workers import local_workers
from flows.needs import gpus_needed
from flows.runners import LOCAL, LostError, StageFuture
from flows.stage import reproduce_stage
from flows.worker import OnWorker, StageWorker, starter
from flows.workspace import Facts, Order
from lp_core.errors import InputError

CONNECT_SECONDS = 10
TELL_SECONDS = 60.0

_NO_WORKER = "No worker that fits is there; waiting for one (Ctrl-C ends the flow)"


@contextmanager
def connected(address: str, count: int, gpus: int) -> Iterator[PrefectDaskClient]:
    """A client of the scheduler at `address`. InputError where none answers.

    Where the address is LOCAL, a scheduler in this process with `count` workers, which share `gpus`
    GPUs evenly.
    """
    for name in ("distributed", "distributed.client"):  # what matters is told in our words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if address == LOCAL:
            cluster = stack.enter_context(
                LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0")
            )
            address = cluster.scheduler_address
            stack.enter_context(local_workers(address, count, gpus))
        try:
            client = PrefectDaskClient(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                f"dask: no scheduler answers at {address} ({' '.join(str(error).split())}); start "
                "one (`dask scheduler`) and give the address that it shows, such as "
                "tcp://HOST:8786"
            ) from error
        yield stack.enter_context(client)


class Cluster:
    """Runs stages on the workers that fit.

    params: the contents of params.yaml. most: how many stages at once; None for as many as workers
    have threads. own: whether the workers are this flow's, to which none will be added. changed:
    called, from other threads, when there is something to `look` at.
    """

    def __init__(
        self,
        client: PrefectDaskClient,
        params: Mapping[str, Any],
        most: int | None,
        own: bool,
        logger: Any,
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._params = params
        self._most = most
        self._own = own
        self._logger = logger
        self._changed = changed
        self._api_url: str | None = None
        self._plugin = ""
        self._resource = f"stages-{uuid4().hex[:8]}"
        self._told: dict[str, dict[str, Any]] = {}  # by the workers that have come
        self._heard = threading.Condition()
        self._aloud = False
        self._workers: dict[str, _Worker] = {}
        self._running = self._gpus_held = 0
        self._said: set[str] = set()

    def begin(self, facts: Facts, clones: Callable[[], Any]) -> None:
        """Has workers get ready, those that are there and those that come.

        Waits for the first that fits; workers may come hours later, as Slurm's do. clones: what
        clones must agree with, asked for where a worker has one. InputError where it cannot be
        told, and where the workers are the flow's own and none fits.
        """
        self._api_url = facts.api_url
        ending.elsewhere.add(self)
        self._client.subscribe_topic(self._resource, self._hear)
        self._register(facts)
        came = list(self._told.values())
        nobody_fits = all("refused" in one for one in came)
        # Beside workers that share the workspace, one of another project is just left out.
        if any(one.get("clone") or (nobody_fits and one.get("shared") is False) for one in came):
            try:
                self._register(replace(facts, clones=clones()))
            except InputError:
                if nobody_fits:
                    raise
        elif self._own and nobody_fits:
            raise InputError(f"dask: no worker of this machine fits: {came[0]['refused']}")
        with self._heard:
            self._aloud = True
            for told in self._told.values():
                self._tell(told)
        while not self._workers:
            self.look()
            with self._heard:
                self._heard.wait(1)

    def _register(self, facts: Facts) -> None:
        """Sends workers the plugin; waits for what the first of them and those beside it tell."""
        stages = StageWorker(facts, self._resource)
        self._plugin = stages.name
        self._told.clear()
        with suppress(OSError):  # of a worker that dies meanwhile; the others have it
            self._client.register_plugin(starter(stages))
        deadline = time.monotonic() + TELL_SECONDS
        while not self._told or (
            self._identity().keys() - self._told.keys() and time.monotonic() < deadline
        ):
            if not self._told:
                self.look()
            with self._heard:
                self._heard.wait(1)

    def _hear(self, event: tuple[float, Any]) -> None:
        _, told = event
        with self._heard:
            self._told[told["worker"]] = told
            if self._aloud:
                self._tell(told)
            self._heard.notify_all()
        self._changed()

    def _tell(self, told: Mapping[str, Any]) -> None:
        if "refused" in told:
            self._logger.warning("Worker %s is left out: %s", told["worker"], told["refused"])
            return
        workspace = "shares the workspace" if told["shared"] else f"clone {told['root']}"
        self._logger.info(
            "Worker %s on %s: %s, %d GPUs, %d at once",
            *(told["worker"], told["host"], workspace, told["gpus"], told["threads"]),
        )
        if told["others"]:
            self._logger.warning(
                "Worker %s has %d GPUs less than it could: other workers of %s have claimed them",
                *(told["worker"], told["others"], told["host"]),
            )

    def _identity(self) -> dict[str, Any]:
        try:
            scheduler = self._client.scheduler
            workers = self._client.sync(scheduler.identity)["workers"]  # type: ignore[union-attr]
        except Exception as error:
            raise LostError("dask: the scheduler has gone; run again to go on") from error
        assert isinstance(workers, dict)
        return workers

    @property
    def count(self) -> int:
        """As many as workers have threads, unless fewer were asked for."""
        threads = sum(worker.threads for worker in self._workers.values())
        return min(threads, self._most or threads)

    def need(self, stage: Stage) -> int:
        """How many GPUs the stage asks for, by what there is."""
        return gpus_needed(stage.params, self._params, any(w.gpus for w in self._workers.values()))

    def has_room(self, gpus: int) -> bool:
        """Whether there is a free thread, and so many free GPUs."""
        workers = self._workers.values()
        if workers and gpus > max(worker.gpus for worker in workers):
            self._say(
                f"A stage asks for {gpus} GPUs, and no worker has as many; it waits for one that "
                "has (params.yaml: train.devices, compute.device)"
            )
            return False
        return self._running < self.count and (
            self._gpus_held + gpus <= sum(worker.gpus for worker in workers)
        )

    def submit(
        self, order: Order, parameters: dict[str, Any], edges: set[RunInput], height: int
    ) -> StageFuture:
        """Hands the stage to Dask, which runs the highest first."""
        self._running += 1
        self._gpus_held += order.gpus
        place = OnWorker(self._plugin)
        with temporary_settings({PREFECT_API_URL: self._api_url}):  # what workers inherit
            future = self._client.submit(
                reproduce_stage,
                key=f"{order.stage}-{uuid4().hex}",
                parameters={"order": order, "place": place, **parameters},
                dependencies={"upstream": edges},
                return_type="state",
                resources={self._resource: 1, **({"GPU": order.gpus} if order.gpus else {})},
                priority=height,
            )
        return PrefectDaskFuture(wrapped_future=future, task_run_id=future.task_run_id)

    def let_go(self, order: Order) -> None:
        """Notes that its thread and its GPUs are free."""
        self._running -= 1
        self._gpus_held -= order.gpus

    def look(self) -> None:
        """Sees which workers there are now."""
        self._workers = {
            address: _Worker(worker["nthreads"], int(worker["resources"].get("GPU", 0)))
            for address, worker in self._identity().items()
            if worker["resources"].get(self._resource)
        }
        if self._workers:
            self._said.discard(_NO_WORKER)
        elif not self._own and (self._aloud or not self._told):
            self._say(_NO_WORKER)

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._logger.warning("%s", line)

    def stop(self) -> None:
        """Ends the stages on the workers; returns once they have ended."""
        if self in ending.elsewhere:
            with suppress(Exception):  # the scheduler may be gone, and the workers with it
                self._client.unregister_worker_plugin(self._plugin)
            ending.elsewhere.discard(self)


@dataclass(frozen=True)
class _Worker:
    threads: int
    gpus: int


def api_url() -> str | None:
    """The address of the Prefect server that this flow run reports to."""
    with get_client(sync_client=True) as client:
        return str(client.api_url).rstrip("/")
