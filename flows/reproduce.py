"""Makes flows that run a part of the DVC graph: `reproducing_flow`."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

from prefect import Flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.states import Completed, Failed
from pydantic import Field

from flows.agreement import Agreement
from flows.artifacts import FIGURES, SUMMARY, show_figures, show_summary
from flows.durations import Durations
from flows.dvc import Fault, Outcome, is_running
from flows.graph import Graph, read_graph
from flows.mending import keep_lock_file, mend_entries, mend_rwlock
from flows.on_failure import run_on_failure
from flows.origin import show_origin
from flows.progress import RunProgress
from flows.project import FIRST, import_cluster, project_for, read_params
from flows.remote import TransferError
from flows.resources import Slots, visible_gpus
from flows.runners import LOCAL, LostError, Runner, Threads
from flows.schedule import Schedule
from flows.stage import Here
from flows.wish import Own, Wish, owns, switch
from flows.workspace import Facts, Workspace, leave_token, only_coordinator
from lp_core.errors import InputError

TOLD = 3  # of the stages that failed, how many `on_failure` gets the last lines of

_PARAMETERS = """

Args:
    targets: globs over stage names (`pool@*`, `imp@base-0-*`); everything upstream of a match
        belongs to it.
    overrides: params to set first, as `dvc exp run -S` takes them (`imp.fraction=0.1`). They
        stay in params.yaml.
    max_parallel: how many stages may run at once; default: one for every `train.devices` GPUs,
        or one.
    force: run the chosen stages even where nothing has changed.
    dask: where stages run: the address of a Dask scheduler (`tcp://scheduler:8786`), or `local` for
        a cluster of `max_parallel` worker processes on this machine; default: in this process.
    pull: whether to fetch at the end what workers in clones of their own have made; without it, it
        stays in the DVC remote.
    on_failure: a shell command to run where a stage has failed or params are invalid. It finds in
        its environment FLOW_NAME, FAILED (the stages' names) and MESSAGE.
"""


def reproducing_flow(
    module: str, description: str, targets: Sequence[str], switch: str
) -> Flow[..., State[Any]]:
    """A flow that brings DVC stages up to date, side by side where the graph allows.

    module: the name of the module that assigns the flow to a variable of the module's own name;
    from it comes the flow's name. targets: what it runs by default, where that is in the graph.
    switch: the list in params.yaml that is empty where the first of them is not in the graph; then
    the flow has nothing to run.

    The flow gives the final state of every stage by name. It ends as InvalidInput, before
    anything runs, where params or targets are invalid.
    """
    own = Own(list(targets), switch)
    variable = module.rpartition(".")[2]
    name = variable.replace("_", "-")
    owns[name] = own

    def run(
        targets: list[str] = own.targets,
        overrides: list[str] = [],  # noqa: B006  (Prefect shows it, nothing changes it)
        max_parallel: Annotated[int, Field(ge=1)] | None = None,
        force: bool = False,
        dask: str | None = None,
        pull: bool = True,
        on_failure: str | None = None,
    ) -> State[Any]:
        wish = Wish(targets, overrides, max_parallel, force, dask, pull, on_failure)
        try:
            state = _reproduce(name, wish)
        except Exception as error:  # not Ctrl-C
            _tell(name, wish, f"{type(error).__name__}: {error}")
            raise
        if isinstance(state.data, StagesFailedError):
            told = (state.message, *list(state.data.stages.values())[:TOLD])
            _tell(name, wish, "\n\n".join(filter(None, told)), list(state.data.stages))
        elif not state.is_completed():
            _tell(name, wish, state.message or "")
        return state

    # A deployment finds the flow by these.
    run.__module__, run.__name__, run.__qualname__ = module, variable, variable
    run.__doc__ = description.strip() + _PARAMETERS
    return Flow(run, name=name, description=description.strip(), persist_result=False)


class StagesFailedError(FailedRun):
    """What a flow raises of which stages have failed. stages: how, by their names."""

    def __init__(self, message: str, stages: Mapping[str, str | None]) -> None:
        super().__init__(message)
        self.stages = stages


def _reproduce(flow: str, wish: Wish) -> State[Any]:
    logger = get_run_logger()
    try:
        project = project_for(flow, wish)
    except InputError as error:
        return _invalid(error)
    if project.params_changed:
        logger.info("params.yaml now has %s", ", ".join(wish.overrides))
    graph, root = project.graph, project.graph.root
    for line in graph.mended:
        logger.warning("%s", line)
    at_once = wish.at_once(len(graph.stages))
    slots = Slots(at_once, devices=project.devices)
    elsewhere = wish.dask not in (None, LOCAL)  # where other GPUs count
    if not elsewhere and at_once is not None and slots.count < at_once:
        logger.warning(
            "max_parallel is %d, but the GPUs are enough for %d at once where train.devices is %d",
            *(wish.max_parallel, slots.count, project.devices),
        )
    show_origin(root, flow, wish.overrides)
    if wish.dask is None:
        here = Here(Workspace(root), slots, project.commands)
    else:  # the workers have the GPUs
        none = {"CUDA_VISIBLE_DEVICES": ""}
        here = Here(Workspace(root), Slots(1, []), project.commands, none)
    threads = Threads(here)
    progress = RunProgress(
        flow, Durations(root), lambda: (schedule.cluster or threads).count, wish.force
    )
    schedule = Schedule(threads, progress, wish.force)
    progress.begin(graph)
    try:
        with ExitStack() as stack:
            stack.enter_context(project.commands)
            stack.enter_context(progress)
            client = None
            if wish.dask is not None:
                connected = import_cluster().connected(wish.dask, slots.count, len(visible_gpus()))
                client = stack.enter_context(connected)
            first = [
                name
                for name in FIRST
                if name in graph.stages and (wish.force or graph.stages[name].stale)
            ]
            if first:
                schedule.run(graph.up_to(first))
                if (ended := _unless_completed(schedule.states)) is not None:
                    return ended
                graph = read_graph(root, wish.targets, switch(flow, wish.targets))
                schedule.outcomes = dict.fromkeys(schedule.states, Outcome.UNCHANGED)  # since then
                progress.begin(graph)
            stale = sum(stage.stale for stage in graph.stages.values())
            known = [f"{len(graph.stages)} stages, {stale} of them stale"]
            if client is None:  # else it is a matter of which workers there are
                known += [f"up to {slots.count} at once", progress.left()]
            logger.info("%s", "; ".join(filter(None, known)))
            if client is not None and (stale or wish.force):
                schedule.cluster = stack.enter_context(_cluster(client, wish, root, schedule))
                if schedule.exchange.with_clones:
                    own = switch(flow, wish.targets)
                    graph = read_graph(root, wish.targets, own, clones=True)
                    progress.begin(graph)
                schedule.exchange.begin(graph)
            schedule.run(graph)
        if wish.pull:
            schedule.exchange.finish(graph, schedule.states)
    except InputError as error:
        return _invalid(error)
    except LostError as error:
        return Failed(message=str(error))
    except TransferError as error:
        return Failed(
            message=f"{error}; what the stages have made is in the DVC remote (`dvc pull`)"
        )
    mend_rwlock(root, is_running)  # where a `dvc repro` was killed that a retry made good
    if (mended := mend_entries(root)) is not None:
        logger.warning("%s", mended)
    keep_lock_file(root)
    _show_results(flow, graph, schedule.states)
    return _verdict(schedule.states)


@contextmanager
def _cluster(client: Any, wish: Wish, root: Path, schedule: Schedule) -> Iterator[Runner]:
    """The workers of the cluster, once there is one that fits."""
    from flows.cluster import Cluster, api_url
    from flows.exchange import CloneExchange

    def clones() -> Agreement:
        exchange = CloneExchange(root, FIRST)
        schedule.exchange = exchange
        schedule.threads.move(exchange.workspace)
        return exchange.agreement

    cluster = Cluster(
        client,
        read_params(root),
        wish.max_parallel,
        wish.dask == LOCAL,
        get_run_logger(),
        lambda: schedule.changes.put(None),
    )
    with only_coordinator(root):
        facts = Facts(str(root), socket.gethostname(), leave_token(root), api_url())
        try:
            cluster.begin(facts, clones)
            yield cluster
        finally:
            cluster.stop()


def _tell(flow: str, wish: Wish, message: str, failed: Sequence[str] = ()) -> None:
    """Runs the command that is wanted where the flow has failed."""
    if wish.on_failure:
        fault = run_on_failure(wish.on_failure, flow, failed, message)
        if fault is not None:
            get_run_logger().warning("%s", fault)


def _invalid(error: InputError) -> State[Any]:
    return Failed(name=Fault.INVALID_INPUT.value, message=str(error), data=error)


def _unless_completed(states: dict[str, State[None]]) -> State[Any] | None:
    """How the flow ends where one of its first stages did not complete; None where all did."""
    for state in states.values():
        if state.name == Fault.INVALID_INPUT.value:
            return _invalid(InputError(state.message))
    return None if all(state.is_completed() for state in states.values()) else _verdict(states)


def _show_results(flow: str, graph: Graph, states: dict[str, State[None]]) -> None:
    # What this run did not bring up to date would pass for its result.
    for path, show in ((SUMMARY, show_summary), (FIGURES, show_figures)):
        producer = graph.producer(path)
        if producer is not None and states[producer].is_completed():
            show(graph.root, flow)


def _verdict(states: dict[str, State[None]]) -> State[Any]:
    names = {stage: str(state.name) for stage, state in states.items()}
    failed = {
        stage: state.message
        for stage, state in states.items()
        if state.is_failed() or state.is_crashed()
    }
    counts = Counter(names.values())
    summary = f"{len(states)} stages: " + ", ".join(f"{n} {name}" for name, n in counts.items())
    if all(state.is_completed() for state in states.values()):
        return Completed(message=summary, data=names)
    message = f"{summary}; failed: {', '.join(failed)}"
    return Failed(message=message, data=StagesFailedError(message, failed))
