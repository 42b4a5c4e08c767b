"""The command line of every flow: `main`."""

import argparse
import re
import sys
from typing import Any, NoReturn

from prefect import Flow
from prefect.client.schemas.objects import State

from flows.dry_run import NotRunError, dry_run
from flows.dvc import Fault
from flows.ending import ended_by_signals
from flows.on_failure import run_on_failure
from flows.project import read_ahead
from flows.server import server_or_temporary
from flows.wish import Wish, owns
from lp_core.errors import InputError

INVALID_INPUT = 2


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, as that of the stages (`tasks.kit.cli`) does: a flow imports
    nothing of the project that it runs before it knows where that is."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (`{self.prog} --help` lists the arguments)")


def main(flow: Flow[..., Any]) -> None:
    """Runs the flow from the command line.

    Exit code: 0, 1 (a stage failed), 2 (invalid params), 128 and its number after a signal.
    """
    parser = _OneLineParser(prog=f"python -m {flow.__module__}", description=flow.description)
    parser.add_argument(
        "--targets",
        nargs="+",
        default=flow.parameters.properties["targets"]["default"],
        metavar="GLOB",
        help="stages by name, such as 'pool@*', and all that they build on "
        f"(default: {' '.join(owns[flow.name].targets)})",
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
        type=_count,
        metavar="N",
        help="stages at once (default: one for every train.devices GPUs, or one)",
    )
    parser.add_argument("--force", action="store_true", help="also run what has not changed")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only tell what would run, and how long it took last time (params and code do run)",
    )
    parser.add_argument(
        "--dask",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="run the stages on the workers of a Dask scheduler, such as tcp://scheduler:8786; "
        "without an address, on --max-parallel worker processes of this machine",
    )
    parser.add_argument(
        "--no-pull",
        action="store_false",
        dest="pull",
        help="leave in the DVC remote what workers in clones of their own have made",
    )
    parser.add_argument(
        "--on-failure",
        metavar="COMMAND",
        help="a shell command to run where a stage has failed or params are invalid; it finds "
        "FLOW_NAME, FAILED (the stages' names) and MESSAGE in its environment",
    )
    try:
        arguments = parser.parse_args()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(INVALID_INPUT)
    is_dry = vars(arguments).pop("dry_run")
    wish = Wish(**vars(arguments))
    if is_dry:
        _tell_plan(flow.name, wish)
        return

    def meanwhile() -> None:
        try:
            read_ahead(flow.name, wish)
        except InputError as error:  # no need to wait for a server
            print(f"error: {error}", file=sys.stderr)
            if wish.on_failure:
                fault = run_on_failure(wish.on_failure, flow.name, (), str(error))
                if fault:
                    print(f"warning: {fault}", file=sys.stderr)
            sys.exit(INVALID_INPUT)

    with ended_by_signals(), server_or_temporary(meanwhile=meanwhile):
        state: State[Any] = flow(**vars(arguments), return_state=True)  # type: ignore[assignment]
    if not state.is_completed():
        sys.exit(INVALID_INPUT if state.name == Fault.INVALID_INPUT.value else 1)


def _count(text: str) -> int:
    if re.fullmatch("0*[1-9][0-9]*", text):
        return min(int(text), sys.maxsize)  # Prefect's JSON has no longer ones
    raise argparse.ArgumentTypeError(f"found {text!r}; give a whole number from 1")


def _tell_plan(flow: str, wish: Wish) -> None:
    try:
        for line in dry_run(flow, wish):
            print(line, flush=True)
    except (InputError, NotRunError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(INVALID_INPUT if isinstance(error, InputError) else 1)
