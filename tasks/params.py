"""Stage `params`: nothing runs on a params file with a fault in it.

What it writes never changes, so a valid edit makes no other stage stale by itself.
"""

from argparse import Namespace

from lp_core.files import atomic_write
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.experiment import missing_files, validate
from tasks.kit.params import PARAMS, ParamsError


def main(_: Namespace) -> None:
    """Check every key, type, name and round, and that the data are there."""
    faults = list(missing_files(validate()))
    if faults:
        raise ParamsError("\n".join(f"{PARAMS}: {fault}" for fault in faults))
    with atomic_write(paths.VALID) as temporary:
        temporary.write_text("params.yaml is valid\n")


if __name__ == "__main__":
    run(main, code=())
