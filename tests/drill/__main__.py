"""python -m tests.drill --kills 50 --seed 0: kills a small real experiment, goes on, compares.

Every kill is a SIGKILL, a SIGTERM or a SIGINT of the stage, of dvc, of the flow, of a Dask worker
or scheduler, or of all together, at a random moment or in the middle of a file that DVC writes. In
the end every ticket, pooled ticket and table has to be the undisturbed run's to the byte (but for
wall times), with no process, lock or temporary file left. Exit code 1 where that is not so. Linux
only.
"""

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path

from tests.drill.drill import Drill
from tests.drill.plan import RUNNERS, kills


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=50, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="draws the kills (default: %(default)s)"
    )
    parser.add_argument(
        "--runners",
        nargs="+",
        choices=RUNNERS,
        default=[*RUNNERS],
        help="what runs the experiment, in turns: dvc repro, a flow, or a flow on Dask with one "
        "folder or with clones (default: all)",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        drill = Drill(Path(folder), say=lambda line: print(line, flush=True))
        drill.run(islice(kills(arguments.seed, arguments.runners), arguments.kills))
    for title, counted in (("fell where", drill.moments), ("hit whom", drill.whom)):
        print(f"\nkills that {title}:")
        for name, number in counted.most_common():
            print(f"  {number:3d}  {name}")
    print(f"\n{drill.finished} runs came to their end and were compared with the undisturbed one.")
    if drill.faults:
        print(f"\n{len(drill.faults)} faults:\n" + "\n".join(f"- {line}" for line in drill.faults))
        sys.exit(1)
    print(
        "Every ticket, pooled ticket and table is the undisturbed run's to the byte; "
        "no process, lock or temporary file is left."
    )


if __name__ == "__main__":
    main()
