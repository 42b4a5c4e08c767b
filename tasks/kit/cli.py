"""What every stage's command line does alike: arguments, errors, exit codes, progress."""

import argparse
import os
import sys
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from tqdm import tqdm

from lp_core.errors import InputError
from tasks.kit.guard import changes, loaded

ARGUMENTS: dict[str, type] = {
    "dataset": str,
    "variant": str,
    "seed": int,
    "ticket": int,
    "parent": str,
    "method": str,
}
INVALID_INPUT = 2  # retrying cannot mend it; the flow reads this code

T = TypeVar("T")


def run(
    main: Callable[[argparse.Namespace], None], *names: str, optional: tuple[str, ...] = ()
) -> None:
    """Run a stage with the named arguments of its command line.

    Bad input (`InputError`) ends in one line and exit code 2. Anything else is a fault of the
    program or the machine: a traceback and exit code 1. Where code or parameters were edited in the
    meantime: a line for each edit, and exit code 1.
    """
    parser = argparse.ArgumentParser(description=sys.modules[main.__module__].__doc__)
    for name in names:
        parser.add_argument(f"--{name}", type=ARGUMENTS[name], required=True)
    for name in optional:
        parser.add_argument(f"--{name}", type=ARGUMENTS[name])
    arguments = parser.parse_args()
    loaded()  # as the code is now: `changes` compares with it
    try:
        main(arguments)
    except SystemExit as end:  # of the process that starts torchrun
        if end.code:
            raise
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(INVALID_INPUT)
    if os.environ.get("RANK", "0") == "0" and (found := dict.fromkeys(changes())):
        sys.exit("\n".join(found))


def progress(items: Collection[T], label: str) -> Iterator[T]:
    """Iterate with a bar where there is a terminal, and a line an item where there is none."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label)
        return
    for number, item in enumerate(items, start=1):
        yield item
        print(f"{label}: {number}/{len(items)}", flush=True)
