"""The flow `imp-pool`: the whole DVC graph from the data to the report, or a part of it.

`python -m flows.imp_pool` runs it, with or without a running Prefect server.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from typing import Annotated, Any, NoReturn

from flows import quiet  # noqa: F401  (before Prefect is imported)
from lp_core.errors import InputError

# isort: split
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import FIGURES, SUMMARY, show_figures, show_summary
from flows.graph import Graph, find_root, read_graph
from flows.params import devices, set_params
from flows.resources import Slots
from flows.schedule import run_stages
from flows.server import server_or_temporary
from flows.stage import INVALID, INVALID_INPUT, Workshop

ALL = ["*"]
NO_OVERRIDES: list[str] = []


@flow(name="imp-pool", persist_result=False)
def imp_pool(
    targets: list[str] = ALL,
    overrides: list[str] = NO_OVERRIDES,
    max_parallel: Annotated[int, Field(ge=1)] | None = None,
    force: bool = False,
) -> State[Any]:
    """Bring DVC stages up to date, side by side where the graph allows.

    Args:
        targets: globs over stage names (`pool@*`, `imp@base-0-*`); everything upstream of a match
            belongs to it.
        overrides: params to set first, as `dvc exp run -S` takes them (`imp.fraction=0.1`). They
            stay in params.yaml.
        max_parallel: how many stages may run at once; default: one for every `train.devices` GPUs,
            or one.
        force: run the chosen stages even where nothing has changed.

    Gives the final state of every stage by name. InputError for invalid params or targets, before
    anything runs.
    """
    logger = get_run_logger()
    try:
        root = find_root()
        if set_params(root / "params.yaml", overrides):
            logger.info("params.yaml now has %s", ", ".join(overrides))
        graph = read_graph(root, targets)
        each = devices(root / "params.yaml")
    except InputError as error:
        return Failed(name=INVALID, message=str(error), data=error)

    slots = Slots(max_parallel, devices=each)
    if max_parallel is not None and slots.count < max_parallel:
        logger.warning(
            "max_parallel is %d, but the GPUs are enough for %d at once where train.devices is %d",
            *(max_parallel, slots.count, each),
        )
    stale = sum(stage.stale for stage in graph.stages.values())
    logger.info(
        "%d stages, %d of them stale; up to %d at once", len(graph.stages), stale, slots.count
    )
    states = run_stages(graph, Workshop(root, slots, force))
    _show(graph, states)
    return _verdict(states)


def _show(graph: Graph, states: dict[str, State[None]]) -> None:
    # What this run did not bring up to date would pass for its result.
    for path, show in ((SUMMARY, show_summary), (FIGURES, show_figures)):
        producer = graph.producer(path)
        if producer is not None and states[producer].is_completed():
            show(graph.root, "imp-pool")


def _verdict(states: dict[str, State[None]]) -> State[Any]:
    names = {stage: str(state.name) for stage, state in states.items()}
    failed = [stage for stage, state in states.items() if state.is_failed() or state.is_crashed()]
    counts = Counter(names.values())
    told = f"{len(states)} stages: " + ", ".join(f"{n} {name}" for name, n in counts.items())
    if all(state.is_completed() for state in states.values()):
        return Completed(message=told, data=names)
    return Failed(message=f"{told}; failed: {', '.join(failed)}")


def main() -> None:
    """Runs the flow from the command line. Exit code: 0, 1 (a stage failed), 2 (invalid params)."""
    parser = argparse.ArgumentParser(prog="python -m flows.imp_pool", description=__doc__)
    parser.add_argument("--targets", nargs="+", default=ALL, metavar="GLOB")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], dest="overrides", metavar="KEY=VALUE"
    )
    parser.add_argument("--max-parallel", type=int, metavar="N")
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args()
    if arguments.max_parallel is not None and arguments.max_parallel < 1:
        parser.error(f"--max-parallel: {arguments.max_parallel}; give 1 or more")
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        # A closed terminal must end the stages too; under nohup they go on.
        signal.signal(signal.SIGHUP, _interrupt)
    with server_or_temporary():
        state = imp_pool(**vars(arguments), return_state=True)
    if not state.is_completed():
        sys.exit(INVALID_INPUT if state.name == INVALID else 1)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
