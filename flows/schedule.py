"""Runs the stages of a graph side by side, each as soon as everything it builds on is there."""

from __future__ import annotations

import heapq
import queue
from typing import Any
from uuid import UUID

from flows import quiet  # noqa: F401  (before Prefect is imported)

# isort: split
from prefect.client.schemas.objects import RunInput, State, TaskRunResult
from prefect.futures import PrefectFuture
from prefect.states import Crashed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.graph import Graph
from flows.stage import Outcome, Workshop, reproduce


def run_stages(graph: Graph, workshop: Workshop) -> dict[str, State[None]]:
    """Runs every stage of `graph` as a Prefect task; gives each one's final state.

    At most `workshop.slots.count` run at once. Stages downstream of a failure end as not run;
    other branches go on. When the flow is interrupted, running stages are ended first.
    """
    # A stage is submitted when its turn comes, and not at once with futures to wait for, because
    # a waiting task holds a thread of the pool: a chain of rounds would keep all others from
    # starting. Those with the longest way to go start first.
    heights = _heights(graph)
    rank = {name: (-heights[name], i, name) for i, name in enumerate(graph.stages)}
    waits = {name: set(stage.upstream) for name, stage in graph.stages.items()}
    ready = [rank[name] for name in waits if not waits[name]]
    heapq.heapify(ready)
    finished: queue.SimpleQueue[PrefectFuture[None]] = queue.SimpleQueue()
    running: dict[UUID, str] = {}
    futures: dict[str, PrefectFuture[None]] = {}
    states: dict[str, State[None]] = {}
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workshop.slots.count)

    with runner:
        try:
            while len(states) < len(graph.stages):
                while ready and len(running) < workshop.slots.count:
                    *_, name = heapq.heappop(ready)
                    future = _submit(runner, graph, workshop, name, futures, states)
                    future.add_done_callback(finished.put)
                    futures[name] = future
                    running[future.task_run_id] = name
                future = finished.get()
                name = running.pop(future.task_run_id)
                states[name] = _final_state(future)
                for other, upstream in waits.items():
                    if name in upstream:
                        upstream.remove(name)
                        if not upstream:
                            heapq.heappush(ready, rank[other])
        except BaseException:  # Ctrl-C, or SIGTERM, which Prefect turns into an exception
            workshop.commands.stop()
            raise
    return states


def _submit(
    runner: ThreadPoolTaskRunner[Any],
    graph: Graph,
    workshop: Workshop,
    name: str,
    futures: dict[str, PrefectFuture[None]],
    states: dict[str, State[None]],
) -> PrefectFuture[None]:
    stage = graph.stages[name]
    # What was read of a stage at the start holds only while nothing it builds on has changed:
    # an upstream that ran, or whose outputs were restored, may have made it stale.
    unchanged = (
        not workshop.force
        and not stage.stale
        and all(workshop.outcomes.get(up) is Outcome.UNCHANGED for up in stage.upstream)
    )
    edges: set[RunInput] = {TaskRunResult(id=futures[up].task_run_id) for up in stage.upstream}
    return runner.submit(
        reproduce,
        {
            "stage": name,
            "workshop": workshop,
            "upstream": list(stage.upstream),
            "unchanged": unchanged,
            "missing": [up for up in stage.upstream if not states[up].is_completed()],
        },
        dependencies={"upstream": edges},
    )


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
