"""What a flow run has to know of the project before it starts.

It can be read while Prefect's server starts (`read_ahead`), which takes as long.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from flows.graph import Graph, find_root, read_graph
from flows.needs import refuse_numbered_device
from flows.params import devices, set_params
from flows.processes import Commands
from flows.stage import stage_environment
from flows.wish import Wish, switch
from lp_core.errors import InputError

# What these stages write tells which others are stale, so they come before the question.
FIRST = ("params", "code")


@dataclass(frozen=True)
class Project:
    """The graph, the GPUs that one training takes, whether `overrides` changed params.yaml, and
    what the stages' commands will run with."""

    graph: Graph
    devices: int
    params_changed: bool
    commands: Commands


def read_ahead(flow: str, wish: Wish) -> None:
    """Reads the project for the flow run that is about to start. InputError where it cannot run."""
    _read_ahead[flow] = _read(flow, wish)


def project_for(flow: str, wish: Wish) -> Project:
    """The project, as it was read ahead or as it is now. InputError where the flow cannot run."""
    return _read_ahead.pop(flow, None) or _read(flow, wish)


_read_ahead: dict[str, Project] = {}  # by the flow's name


def _read(flow: str, wish: Wish) -> Project:
    """The project, once `overrides` are set.

    Where a stage will run, the warm interpreter begins to import at once.
    """
    root = find_root()
    params_changed = set_params(root / "params.yaml", wish.overrides)
    graph = read_graph(root, wish.targets, switch(flow, wish.targets))
    if wish.dask is not None:
        refuse_numbered_device(read_params(root))
        import_cluster()
    project = Project(graph, devices(root / "params.yaml"), params_changed, Commands())
    stale = wish.force or any(stage.stale for stage in graph.stages.values())
    if stale and wish.dask is None:  # else workers have their own
        project.commands.warm_up(stage_environment())
    return project


def read_params(root: Path) -> dict[str, Any]:
    """The contents of params.yaml."""
    from dvc.utils.serialize import load_yaml

    params: dict[str, Any] = load_yaml(root / "params.yaml")
    return params


def import_cluster() -> ModuleType:
    """`flows.cluster`, which takes seconds. InputError where the extra is not installed."""
    try:
        return importlib.import_module("flows.cluster")
    except ModuleNotFoundError as error:
        raise InputError(
            f"dask: {error}; install what it needs: pip install 'lottery-pools[pipeline,dask]'"
        ) from error
