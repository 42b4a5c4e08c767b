"""What runs the stages that are ready: threads of this process (`Threads`), or a Dask cluster
(`flows.cluster`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from prefect.client.schemas.objects import RunInput, State
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from flows.graph import Stage
from flows.stage import Here, reproduce_stage
from flows.workspace import Order, Workspace

StageFuture: TypeAlias = PrefectFuture[State[Any]]


LOCAL = "local"  # in place of a scheduler's address: a cluster of this machine's own


class LostError(RuntimeError):
    """What stages ran on is out of reach."""


class Runner(Protocol):
    """Runs stages side by side."""

    @property
    def count(self) -> int:
        """How many stages can run at once, as it is now."""

    def need(self, stage: Stage) -> int:
        """How many GPUs the stage asks for here."""

    def has_room(self, gpus: int) -> bool:
        """Whether a stage that asks for so many GPUs could start now."""

    def submit(
        self, order: Order, parameters: dict[str, Any], edges: set[RunInput], height: int
    ) -> StageFuture:
        """Starts the stage's task.

        parameters: those of `reproduce_stage` beside the order and its place. edges: the upstream
        task runs. height: how many stages come one after another from here to an end.
        """

    def let_go(self, order: Order) -> None:
        """Notes that the stage has ended."""

    def look(self) -> None:
        """Sees what has changed; called every few seconds. May raise LostError."""

    def stop(self) -> None:
        """Ends the stages that run, and starts no other; returns once they have ended."""


class Threads:
    """Runs stages in threads of this process, as many at once as it has slots."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self.count = self._free = here.slots.count
        self.pool: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=self._free)

    def move(self, workspace: Workspace) -> None:
        """From now on stages run there."""
        self._here = replace(self._here, workspace=workspace)

    def need(self, stage: Stage) -> int:  # noqa: ARG002
        """None to count: each slot has its GPUs."""
        return 0

    def has_room(self, gpus: int) -> bool:  # noqa: ARG002
        """Whether a slot is free."""
        return self._free > 0

    def submit(
        self,
        order: Order,
        parameters: dict[str, Any],
        edges: set[RunInput],
        height: int,  # noqa: ARG002  (whoever calls goes by it)
    ) -> StageFuture:
        """Starts the stage in a thread."""
        self._free -= 1
        parameters = {"order": order, "place": self._here, **parameters}
        return self.pool.submit(reproduce_stage, parameters, dependencies={"upstream": edges})

    def let_go(self, order: Order) -> None:  # noqa: ARG002
        """Notes that its slot is free."""
        self._free += 1

    def look(self) -> None:
        """Sees nothing: slots stay as they are."""

    def stop(self) -> None:
        """Ends the stages that run here."""
        self._here.commands.stop()
