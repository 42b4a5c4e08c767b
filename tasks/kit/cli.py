"""What every stage's command line does alike: arguments, errors, exit codes, progress."""

import argparse
import ctypes
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NoReturn, TypeVar

from tqdm import tqdm

from lp_core.errors import DamagedError, InputError
from tasks.kit.arguments import explanation
from tasks.kit.guard import Guard
from tasks.kit.params import Params, shown

_KEY = re.compile(r"^--\w+\.(?=\w)")  # of the mapping that an argument is part of
INVALID_INPUT = 2  # retrying cannot mend it; the flow reads this code

_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>

T = TypeVar("T")


def run(
    main: Callable[[argparse.Namespace], None],
    *,
    code: Sequence[str] | None = None,
    **arguments: type | str,
) -> None:
    """Run a stage with the arguments of its command line.

    arguments: all required. For each its type, or the section of params.yaml that has what it
    names, such as `variants`. DVC writes `round: {ticket: 1}` as `--round.ticket 1`, which is
    taken as `--ticket 1`.
    code: the fingerprints that dvc.yaml has the stage depend on, `{variant}` standing for that
    argument; by default the stage's own.

    Bad input (`InputError`) ends in one line and exit code 2. Anything else is a fault of the
    program or the machine: a traceback and exit code 1. Where code or parameters were edited in the
    meantime: a line for each edit, and exit code 1.
    """
    spec = sys.modules["__main__"].__spec__
    stage = spec.name.rpartition(".")[2] if spec else main.__module__.rpartition(".")[2]
    parser = OneLineParser(
        prog=f"python -m tasks.{stage}", description=sys.modules[main.__module__].__doc__
    )
    for name, kind in arguments.items():
        convert = _whole_number if kind is int else str
        told = explanation(name, str(kind))
        parser.add_argument(f"--{name}", type=convert, required=True, help=told)
    if "DVC_STAGE" in os.environ:
        die_with_parent()
    try:
        values = parser.parse_args([_KEY.sub("--", word) for word in sys.argv[1:]])
        _require_listed(values, arguments)
        names = [stage] if code is None else [name.format(**vars(values)) for name in code]
        guard = Guard(names)
        _to_its_end(main, values)
    except InputError as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        sys.exit(INVALID_INPUT)
    if os.environ.get("RANK", "0") != "0":
        return
    try:
        changes = list(dict.fromkeys(guard.changes()))
    except InputError as error:  # edited into something that is no code
        changes = [f"{error}; it was when this began; run again"]
    if changes:
        sys.exit("\n".join(changes))


def _to_its_end(main: Callable[[argparse.Namespace], None], values: argparse.Namespace) -> None:
    """Raises RuntimeError where somebody's network ends the process as if all were done."""
    try:
        main(values)
    except SystemExit as end:
        if end.code in (None, 0):
            raise RuntimeError("something called sys.exit() before this stage was done") from end
        raise


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything else does."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (`{self.prog} --help` lists the arguments)")


def _whole_number(text: str) -> int:
    if re.fullmatch("[0-9]{1,19}", text) and int(text) < 2**63:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"found {shown(text)}; give a whole number from 0, below 2**63"
    )


def _require_listed(values: argparse.Namespace, arguments: Mapping[str, type | str]) -> None:
    """Raises InputError for a name that params.yaml does not have; it is part of paths."""
    for argument, section in arguments.items():
        if not isinstance(section, str):
            continue
        name = getattr(values, argument)
        if name not in (known := [str(each) for each in Params().value(section) or ()]):
            raise InputError(
                f"--{argument} {shown(name)} is not in {section}; it has {', '.join(known)}"
            )


def explained(error: InputError) -> str:
    """What is wrong, and what would do.

    DVC takes a damaged file for a whole one and would restore it so: its copies in the cache are
    read-only, which to DVC means checked. It checks those that can be written.
    """
    if not isinstance(error, DamagedError):
        return str(error)
    path = shlex.quote(str(error.path))
    return f"{error}: rm -r {path}; chmod -R u+w .dvc/cache; dvc repro"


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, where the kernel is Linux.

    Else what a killed process has started would train on, beside the one that takes its place.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def progress(items: Collection[T], label: str) -> Iterator[T]:
    """Iterate with a bar where there is a terminal, and a line an item where there is none."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label)
        return
    for number, item in enumerate(items, start=1):
        yield item
        print(f"{label}: {number}/{len(items)}", flush=True)
