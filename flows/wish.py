"""What a flow is asked to do, and what it does unless it is asked for something else."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Own:
    """What a flow runs unless it is told otherwise, and what switches that off."""

    targets: list[str]
    switch: str


owns: dict[str, Own] = {}  # by the flow's name


@dataclass(frozen=True)
class Wish:
    """What was asked of a flow run; `reproducing_flow` says what each means."""

    targets: list[str]
    overrides: list[str]
    max_parallel: int | None = None
    force: bool = False
    dask: str | None = None
    pull: bool = True
    on_failure: str | None = None

    def at_once(self, stages: int) -> int | None:
        """`max_parallel`, or as many as there are stages where it is more; None for the default."""
        return self.max_parallel and min(self.max_parallel, max(1, stages))


def switch(flow: str, targets: list[str]) -> str | None:
    """For `read_graph`: what was asked for by name has to be there."""
    return owns[flow].switch if targets == owns[flow].targets else None
