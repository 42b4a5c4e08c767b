"""Runs the stages of a graph side by side, each as soon as everything it builds on is there."""

from __future__ import annotations

import heapq
import queue
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import RunInput, State, TaskRunResult
from prefect.futures import PrefectFuture
from prefect.states import Crashed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.dvc import Outcome
from flows.graph import Graph
from flows.stage import RunContext, reproduce_stage


class Schedule:
    """The Prefect tasks of one flow run, one for each stage."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._futures: dict[str, PrefectFuture[None]] = {}
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

        with runner:
            try:
                while ready or running:
                    while ready and len(running) < slots:
                        *_, name = heapq.heappop(ready)
                        future = self._submit(runner, graph, name)
                        future.add_done_callback(finished.put)
                        running[future.task_run_id] = name
                    future = finished.get()
                    name = running.pop(future.task_run_id)
                    self.states[name] = _final_state(future)
                    for waiting, upstream in waits.items():
                        if name in upstream:
                            upstream.remove(name)
                            if not upstream:
                                heapq.heappush(ready, rank[waiting])
            except BaseException:  # Ctrl-C, or SIGTERM, which Prefect turns into an exception
                self._context.commands.stop()
                raise

    def _submit(
        self, runner: ThreadPoolTaskRunner[Any], graph: Graph, name: str
    ) -> PrefectFuture[None]:
        stage, context = graph.stages[name], self._context
        # What was read of a stage at the start holds only while nothing it builds on has changed:
        # an upstream that ran, or whose outputs were restored, may have made it stale.
        unchanged = (
            not context.force
            and not stage.stale
            and all(context.outcomes.get(up) is Outcome.UNCHANGED for up in stage.upstream)
        )
        ids = [self._futures[up].task_run_id for up in stage.upstream]
        edges: set[RunInput] = {TaskRunResult(id=task_run_id) for task_run_id in ids}
        self._futures[name] = runner.submit(
            reproduce_stage,
            {
                "stage": name,
                "context": context,
                "upstream": list(stage.upstream),
                "unchanged": unchanged,
                "missing": [up for up in stage.upstream if not self.states[up].is_completed()],
            },
            dependencies={"upstream": edges},
        )
        return self._futures[name]


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
