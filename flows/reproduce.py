"""Makes flows that run a part of the DVC graph: `reproducing_flow` and its command line, `main`."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from prefect import Flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import FIGURES, SUMMARY, show_figures, show_summary
from flows.dvc import Fault, Outcome, is_running
from flows.ending import ended_by_signals
from flows.graph import Graph, find_root, read_graph
from flows.mending import keep_lock_file, mend_rwlock
from flows.params import devices, set_params
from flows.processes import Commands
from flows.resources import Slots
from flows.schedule import Schedule
from flows.server import server_or_temporary
from flows.stage import RunContext, stage_environment
from lp_core.errors import InputError

# What these stages write tells which others are stale, so they come before the question.
FIRST = ("params", "code")
INVALID_INPUT = 2

_PARAMETERS = """

Args:
    targets: globs over stage names (`pool@*`, `imp@base-0-*`); everything upstream of a match
        belongs to it.
    overrides: params to set first, as `dvc exp run -S` takes them (`imp.fraction=0.1`). They
        stay in params.yaml.
    max_parallel: how many stages may run at once; default: one for every `train.devices` GPUs,
        or one.
    force: run the chosen stages even where nothing has changed.
"""


def reproducing_flow(
    module: str, description: str, targets: Sequence[str], switch: str
) -> Flow[..., Any]:
    """A flow that brings DVC stages up to date, side by side where the graph allows.

    module: the name of the module that assigns the flow to a variable of the module's own name;
    from it comes the flow's name. targets: what it runs by default, where that is in the graph.
    switch: the list in params.yaml that is empty where the first of them is not in the graph; then
    the flow has nothing to run.

    The flow gives the final state of every stage by name. It ends as InvalidInput, before
    anything runs, where params or targets are invalid.
    """
    own = _Own(list(targets), switch)
    variable = module.rpartition(".")[2]
    name = variable.replace("_", "-")
    _own[name] = own

    def run(
        targets: list[str] = own.targets,
        overrides: list[str] = [],  # noqa: B006  (Prefect shows it, nothing changes it)
        max_parallel: Annotated[int, Field(ge=1)] | None = None,
        force: bool = False,
    ) -> State[Any]:
        return _reproduce(name, targets, overrides, max_parallel, force)

    # A deployment finds the flow by these.
    run.__module__, run.__name__, run.__qualname__ = module, variable, variable
    run.__doc__ = description.strip() + _PARAMETERS
    return Flow(run, name=name, description=description.strip(), persist_result=False)


@dataclass(frozen=True)
class _Own:
    """What a flow runs unless it is told otherwise, and what switches that off."""

    targets: list[str]
    switch: str


_own: dict[str, _Own] = {}  # by the flow's name


@dataclass(frozen=True)
class _Project:
    """What a run has to know before it starts, and the commands that it will run with."""

    graph: Graph
    devices: int
    params_changed: bool
    commands: Commands


def _read_project(
    flow: str, targets: list[str], overrides: list[str], force: bool
) -> _Project | InputError:
    """The project, once `overrides` are set; or what is wrong with the one or the other.

    Where a stage will run, the warm interpreter begins to import at once.
    """
    try:
        root = find_root()
        params_changed = set_params(root / "params.yaml", overrides)
        graph = read_graph(root, targets, _switch(flow, targets))
        project = _Project(graph, devices(root / "params.yaml"), params_changed, Commands())
    except InputError as error:
        return error
    if force or any(stage.stale for stage in graph.stages.values()):
        project.commands.warm_up(stage_environment())
    return project


def _switch(flow: str, targets: list[str]) -> str | None:
    """For `read_graph`: what was asked for by name has to be there."""
    return _own[flow].switch if targets == _own[flow].targets else None


# What `main` has read while Prefect's server started, for the flow run that it starts then.
_read_ahead: dict[str, _Project] = {}


def _reproduce(
    flow: str, targets: list[str], overrides: list[str], max_parallel: int | None, force: bool
) -> State[Any]:
    logger = get_run_logger()
    project = _read_ahead.pop(flow, None) or _read_project(flow, targets, overrides, force)
    if isinstance(project, InputError):
        return _invalid(project)
    if project.params_changed:
        logger.info("params.yaml now has %s", ", ".join(overrides))
    graph, root = project.graph, project.graph.root
    for line in graph.mended:
        logger.warning("%s", line)
    slots = Slots(max_parallel, devices=project.devices)
    if max_parallel is not None and slots.count < max_parallel:
        logger.warning(
            "max_parallel is %d, but the GPUs are enough for %d at once where train.devices is %d",
            *(max_parallel, slots.count, project.devices),
        )
    with project.commands:
        context = RunContext(root, slots, project.commands, force)
        schedule = Schedule(context)
        first = [
            name for name in FIRST if name in graph.stages and (force or graph.stages[name].stale)
        ]
        if first:
            schedule.run(graph.up_to(first))
            invalid = [s for s in schedule.states.values() if s.name == Fault.INVALID_INPUT.value]
            if invalid:
                return _invalid(InputError(invalid[0].message))
            if not all(state.is_completed() for state in schedule.states.values()):
                return _verdict(schedule.states)
            try:
                graph = read_graph(root, targets, _switch(flow, targets))
            except InputError as error:
                return _invalid(error)
            context.outcomes = dict.fromkeys(schedule.states, Outcome.UNCHANGED)  # since then
        stale = sum(stage.stale for stage in graph.stages.values())
        logger.info(
            "%d stages, %d of them stale; up to %d at once", len(graph.stages), stale, slots.count
        )
        schedule.run(graph)
    mend_rwlock(root, is_running)  # where a `dvc repro` was killed that a retry made good
    keep_lock_file(root)
    _show_results(flow, graph, schedule.states)
    return _verdict(schedule.states)


def _invalid(error: InputError) -> State[Any]:
    return Failed(name=Fault.INVALID_INPUT.value, message=str(error), data=error)


def _show_results(flow: str, graph: Graph, states: dict[str, State[None]]) -> None:
    # What this run did not bring up to date would pass for its result.
    for path, show in ((SUMMARY, show_summary), (FIGURES, show_figures)):
        producer = graph.producer(path)
        if producer is not None and states[producer].is_completed():
            show(graph.root, flow)


def _verdict(states: dict[str, State[None]]) -> State[Any]:
    names = {stage: str(state.name) for stage, state in states.items()}
    failed = [stage for stage, state in states.items() if state.is_failed() or state.is_crashed()]
    counts = Counter(names.values())
    summary = f"{len(states)} stages: " + ", ".join(f"{n} {name}" for name, n in counts.items())
    if all(state.is_completed() for state in states.values()):
        return Completed(message=summary, data=names)
    return Failed(message=f"{summary}; failed: {', '.join(failed)}")


def main(flow: Flow[..., Any]) -> None:
    """Runs the flow from the command line.

    Exit code: 0, 1 (a stage failed), 2 (invalid params), 128 and its number after a signal.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {flow.__module__}", description=flow.description
    )
    parser.add_argument(
        "--targets",
        nargs="+",
        default=flow.parameters.properties["targets"]["default"],
        metavar="GLOB",
        help="stages by name, such as 'pool@*', and all that they build on "
        f"(default: {' '.join(_own[flow.name].targets)})",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="params to set first, such as imp.fraction=0.1; they stay in params.yaml",
    )
    parser.add_argument(
        "--max-parallel",
        type=int,
        metavar="N",
        help="stages at once (default: one for every train.devices GPUs, or one)",
    )
    parser.add_argument("--force", action="store_true", help="also run what has not changed")
    arguments = parser.parse_args()
    if arguments.max_parallel is not None and arguments.max_parallel < 1:
        parser.error(f"--max-parallel: {arguments.max_parallel}; give 1 or more")

    def read_ahead() -> None:
        project = _read_project(flow.name, arguments.targets, arguments.overrides, arguments.force)
        if isinstance(project, InputError):  # no need to wait for a server
            print(f"error: {project}", file=sys.stderr)
            sys.exit(INVALID_INPUT)
        _read_ahead[flow.name] = project

    with ended_by_signals(), server_or_temporary(meanwhile=read_ahead):
        state: State[Any] = flow(**vars(arguments), return_state=True)  # type: ignore[assignment]
    if not state.is_completed():
        sys.exit(INVALID_INPUT if state.name == Fault.INVALID_INPUT.value else 1)
