"""Runs the stages of a graph side by side, each as soon as everything it builds on is there."""

from __future__ import annotations

import heapq
import queue
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import RunInput, State, TaskRunResult
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.states import Completed, Crashed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.dvc import Outcome
from flows.graph import Graph
from flows.stage import CACHED, RunContext, reproduce_stage


class Schedule:
    """The Prefect tasks of one flow run, one for each stage."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._ids: dict[str, UUID] = {}  # of the stages' task runs
        self.states: dict[str, State[None]] = {}  # how each stage ended

    def run(self, graph: Graph) -> None:
        """Runs every stage of `graph` that has not been run yet; `states` tells how each ended.

        At most `context.slots.count` run at once. Stages downstream of a failure end as not run;
        other branches go on. When the flow is interrupted, running stages are ended first.
        """
        # A stage is submitted when its turn comes, and not at once with futures to wait for,
        # because a waiting task holds a thread of the pool: a chain of rounds would keep all
        # others from starting. Those with the longest way to go start first.
        heights = _heights(graph)
        rank = {name: (-heights[name], i, name) for i, name in enumerate(graph.stages)}
        waits = {
            name: set(stage.upstream) - set(self.states)
            for name, stage in graph.stages.items()
            if name not in self.states
        }
        ready = [rank[name] for name in waits if not waits[name]]
        heapq.heapify(ready)
        finished: queue.SimpleQueue[PrefectFuture[None]] = queue.SimpleQueue()
        running: dict[UUID, str] = {}
        slots = self._context.slots.count
        runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=slots)

        def go_on(name: str, state: State[None]) -> None:
            self.states[name] = state
            for waiting, upstream in waits.items():
                if name in upstream:
                    upstream.remove(name)
                    if not upstream:
                        heapq.heappush(ready, rank[waiting])

        with runner, get_client(sync_client=True) as client:
            try:
                while ready or running:
                    while ready and len(running) < slots:
                        *_, name = heapq.heappop(ready)
                        if self._is_unchanged(graph, name):
                            go_on(name, self._record_unchanged(client, graph, name))
                            continue
                        future = self._submit(runner, graph, name)
                        future.add_done_callback(finished.put)
                        running[future.task_run_id] = name
                    if running:
                        future = finished.get()
                        go_on(running.pop(future.task_run_id), _final_state(future))
            except BaseException:  # Ctrl-C, or SIGTERM, which Prefect turns into an exception
                self._context.commands.stop()
                raise

    def _is_unchanged(self, graph: Graph, name: str) -> bool:
        # What was read of a stage at the start holds only while nothing it builds on has changed:
        # an upstream that ran, or whose outputs were restored, may have made it stale.
        stage, context = graph.stages[name], self._context
        return (
            not context.force
            and not stage.stale
            and all(context.outcomes.get(up) is Outcome.UNCHANGED for up in stage.upstream)
        )

    def _record_unchanged(self, client: SyncPrefectClient, graph: Graph, name: str) -> State[None]:
        """Has Prefect show a stage that is up to date, by one request in place of the engine's
        many: a hundred such stages would take longer than starting a server."""
        flow_run = FlowRunContext.get()
        assert flow_run is not None
        assert flow_run.flow_run is not None
        self._ids[name] = uuid4()
        state: State[None] = Completed(name=CACHED, message=Outcome.UNCHANGED.value)
        client.create_task_run(
            reproduce_stage,
            flow_run.flow_run.id,
            dynamic_key=name,
            id=self._ids[name],
            name=name,
            state=state,
            task_inputs={"upstream": [*self._edges(graph, name)]},
        )
        self._context.outcomes[name] = Outcome.UNCHANGED
        return state

    def _submit(
        self, runner: ThreadPoolTaskRunner[Any], graph: Graph, name: str
    ) -> PrefectFuture[None]:
        stage = graph.stages[name]
        future = runner.submit(
            reproduce_stage,
            {
                "stage": name,
                "context": self._context,
                "upstream": list(stage.upstream),
                "missing": [up for up in stage.upstream if not self.states[up].is_completed()],
            },
            dependencies={"upstream": set[RunInput](self._edges(graph, name))},
        )
        self._ids[name] = future.task_run_id
        return future

    def _edges(self, graph: Graph, name: str) -> set[TaskRunResult]:
        return {TaskRunResult(id=self._ids[up]) for up in graph.stages[name].upstream}


def _final_state(future: PrefectFuture[None]) -> State[None]:
    try:
        future.wait()
        return future.state
    except Exception as error:  # Prefect's own engine failed, e.g. without its API
        return Crashed(message=f"{type(error).__name__}: {error}")


def _heights(graph: Graph) -> dict[str, int]:
    """How many stages come one after another on the longest way from each stage to an end."""
    heights = dict.fromkeys(graph.stages, 1)
    for name in reversed(graph.stages):  # downstream first
        for up in graph.stages[name].upstream:
            heights[up] = max(heights[up], heights[name] + 1)
    return heights
