"""Runs the stages of a graph side by side, each as soon as everything it builds on is there."""

from __future__ import annotations

import heapq
import queue
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import RunInput, State, TaskRunResult
from prefect.context import FlowRunContext
from prefect.states import Completed, Crashed, Failed

from flows.dvc import Fault, Outcome
from flows.graph import Graph, Stage
from flows.outage import is_outage, wait_for_server
from flows.progress import RunProgress
from flows.runners import Runner, StageFuture, Threads
from flows.stage import CACHED, made, outcome, reproduce_stage
from flows.workspace import Exchange, MisfitError, Order
from lp_core.errors import InputError

LOOK_SECONDS = 2.0
OUTAGES = 5  # of Prefect's server, for each of which a stage is tried again

_Rank: TypeAlias = tuple[int, int, str]
_Kind: TypeAlias = tuple[Runner | None, int]  # where a stage runs, if it has to, and its GPUs


class Schedule:
    """The Prefect tasks of one flow run, one for each stage.

    Stages run in this process; once there is a `cluster`, those that `exchange` does not keep here
    run there. What is put into `changes` from other threads wakes the schedule up.
    """

    def __init__(self, threads: Threads, progress: RunProgress, force: bool) -> None:
        self.threads = threads
        self._progress = progress
        self._force = force
        self.cluster: Runner | None = None
        self.exchange = Exchange()
        self.changes: queue.SimpleQueue[StageFuture | None] = queue.SimpleQueue()
        self._ids: dict[str, UUID] = {}  # of the stages' task runs
        self._outages: Counter[str] = Counter()
        self.states: dict[str, State[Any]] = {}  # how each stage ended
        self.outcomes: dict[str, Outcome | None] = {}  # what was done, since the graph was read

    def run(self, graph: Graph) -> None:
        """Runs every stage of `graph` that has not been run yet; `states` tells how each ended.

        Stages downstream of a failure end as not run; other branches go on. When the flow is
        interrupted, running stages are ended first. InputError, once running stages have ended,
        where the project was edited so that no further one could start (`Exchange.inputs`).
        """
        # A stage is submitted when its turn comes, and not at once with futures to wait for: a
        # waiting task holds a thread of the pool, so that a chain of rounds would keep all others
        # from starting; and a cluster deals out what is submitted, so that a worker that comes
        # late, or is ready early, would find nothing or the wrong thing to do.
        ready = _Ready(graph)
        waits = {
            name: set(stage.upstream) - set(self.states)
            for name, stage in graph.stages.items()
            if name not in self.states
        }
        downstream: dict[str, list[str]] = {}
        for name, upstream in waits.items():
            for up in upstream:
                downstream.setdefault(up, []).append(name)
        running: dict[UUID, tuple[Order, Runner]] = {}
        runners = [self.threads, *([self.cluster] if self.cluster else [])]

        def go_on(name: str, state: State[Any]) -> None:
            self.states[name] = state
            self.outcomes[name] = outcome(state)
            self._progress.finished(name, state, held.seconds if (held := made(state)) else None)
            for waiting in downstream.get(name, ()):
                waits[waiting].remove(name)
                if not waits[waiting]:
                    ready.push(waiting, self._kind(graph, waiting))

        for name, upstream in waits.items():
            if not upstream:
                ready.push(name, self._kind(graph, name))
        edited: InputError | None = None
        with self.threads.pool, get_client(sync_client=True) as client:
            try:
                while running or (ready and edited is None):
                    while edited is None and (taken := ready.pop()) is not None:
                        name, (runner, gpus) = taken
                        if runner is None:
                            go_on(name, self._record_unchanged(client, graph, name))
                            continue
                        try:
                            inputs = self.exchange.inputs(graph.stages[name])
                        except InputError as error:
                            edited = error
                            get_run_logger().error("%s", error)
                            break
                        order = Order(name, self._force, gpus, inputs)
                        future = self._submit(runner, graph, order, ready.heights[name])
                        future.add_done_callback(self.changes.put)
                        running[future.task_run_id] = order, runner
                        self._progress.started(name)
                    if running or (ready and edited is None):
                        ended = self._next_change(runners)
                        if ended is not None:
                            order, runner = running.pop(ended.task_run_id)
                            runner.let_go(order)
                            state = self._ended(client, order.stage, runner, ended)
                            if state is None:
                                ready.push(order.stage, self._kind(graph, order.stage))
                            else:
                                go_on(order.stage, state)
            except BaseException:  # Ctrl-C, or SIGTERM, which Prefect turns into an exception
                for runner in runners:
                    runner.stop()
                raise
        if edited is not None:
            raise edited

    def _ended(
        self, client: SyncPrefectClient, stage: str, runner: Runner, future: StageFuture
    ) -> State[Any] | None:
        """How the stage ended; None where it has to run again."""
        try:
            state = self._taken_in(stage, future)
        except Exception as error:  # an engine failed, Prefect's or Dask's
            runner.look()
            if is_outage(error, client) and self._outages[stage] < OUTAGES:
                self._outages[stage] += 1
                wait_for_server(client, get_run_logger())
                return None
            state = _crashed(client, future.task_run_id, error)
        if runner is self.cluster and state.name == Fault.MISFIT.value:
            return None  # that worker has left, which is told; others have the stage
        if runner is not self.threads and not state.is_completed():
            # Its own words are in the log of the worker.
            get_run_logger().error("%s: %s", stage, state.message)
        return state

    def _next_change(self, runners: Collection[Runner]) -> StageFuture | None:
        try:
            ended = self.changes.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            ended = None
        if ended is None:
            for runner in runners:
                runner.look()
        return ended

    def _kind(self, graph: Graph, name: str) -> _Kind:
        stage = graph.stages[name]
        if self._is_unchanged(stage):
            return None, 0
        if self.cluster is None or self._missing(stage) or self.exchange.is_local(stage):
            return self.threads, self.threads.need(stage)
        return self.cluster, self.cluster.need(stage)

    def _missing(self, stage: Stage) -> list[str]:
        return [up for up in stage.upstream if not self.states[up].is_completed()]

    def _is_unchanged(self, stage: Stage) -> bool:
        # What was read of a stage at the start holds only while nothing it builds on has changed:
        # an upstream that ran, or whose outputs were restored, may have made it stale.
        return (
            not self._force
            and not stage.stale
            and all(self.outcomes.get(up) is Outcome.UNCHANGED for up in stage.upstream)
        )

    def _record_unchanged(self, client: SyncPrefectClient, graph: Graph, name: str) -> State[Any]:
        """Has Prefect show a stage that is up to date, by one request in place of the engine's
        many: a hundred such stages would take longer than starting a server."""
        flow_run = FlowRunContext.get()
        assert flow_run is not None
        assert flow_run.flow_run is not None
        self._ids[name] = uuid4()
        state: State[Any] = Completed(name=CACHED, message=Outcome.UNCHANGED.value)
        create = partial(
            client.create_task_run,
            reproduce_stage,
            flow_run.flow_run.id,
            dynamic_key=name,
            id=self._ids[name],
            name=name,
            state=state,
            task_inputs={"upstream": [*self._edges(graph, name)]},
        )
        try:
            create()
        except Exception as error:
            if not is_outage(error, client):
                raise
            wait_for_server(client, get_run_logger())
            create()
        return state

    def _submit(self, runner: Runner, graph: Graph, order: Order, height: int) -> StageFuture:
        stage = graph.stages[order.stage]
        parameters = {"upstream": list(stage.upstream), "missing": self._missing(stage)}
        edges = set[RunInput](self._edges(graph, order.stage))
        future = runner.submit(order, parameters, edges, height)
        self._ids[order.stage] = future.task_run_id
        return future

    def _edges(self, graph: Graph, name: str) -> set[TaskRunResult]:
        return {TaskRunResult(id=self._ids[up]) for up in graph.stages[name].upstream}

    def _taken_in(self, stage: str, future: StageFuture) -> State[Any]:
        """How the stage ended, once what it has made is taken in."""
        future.wait()
        state = future.state
        if not state.is_final():  # Dask has given it up: worker after worker died of it
            future.result()
        try:
            if (held := made(state)) is not None:
                self.exchange.take_in(stage, held.made)
        except MisfitError as error:
            return Failed(name=Fault.REFUSED.value, message=f"{stage}: {error}")
        return state


def _crashed(client: SyncPrefectClient, task_run: UUID, error: Exception) -> State[Any]:
    """The state of a task that could not tell its own; the server is told."""
    state: State[Any] = Crashed(message=f"{type(error).__name__}: {error}")
    with suppress(Exception):  # e.g. without its API
        client.set_task_run_state(task_run, state, force=True)
    return state


class _Ready:
    """The stages that could start: those with the longest way to go come first."""

    def __init__(self, graph: Graph) -> None:
        self.heights = _heights(graph)
        self._rank = {name: (-self.heights[name], i, name) for i, name in enumerate(graph.stages)}
        self._heaps: dict[_Kind, list[_Rank]] = {}

    def __bool__(self) -> bool:
        return any(self._heaps.values())

    def push(self, name: str, kind: _Kind) -> None:
        heapq.heappush(self._heaps.setdefault(kind, []), self._rank[name])

    def pop(self) -> tuple[str, _Kind] | None:
        """The first of those that there is room for."""
        kinds = [
            (runner, gpus)
            for (runner, gpus), heap in self._heaps.items()
            if heap and (runner is None or runner.has_room(gpus))
        ]
        if not kinds:
            return None
        kind = min(kinds, key=lambda kind: self._heaps[kind][0])
        return heapq.heappop(self._heaps[kind])[2], kind


def _heights(graph: Graph) -> dict[str, int]:
    """How many stages come one after another on the longest way from each stage to an end."""
    heights = dict.fromkeys(graph.stages, 1)
    for name in reversed(graph.stages):  # downstream first
        for up in graph.stages[name].upstream:
            heights[up] = max(heights[up], heights[name] + 1)
    return heights
