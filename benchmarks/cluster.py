"""What a second worker brings: two seeds' chains of tickets on digits, on one worker and on two.

`python -m benchmarks.cluster [--repeats 3] [--set KEY=VALUE …]` copies the project into a temporary
folder, makes the rewind points, and then has the flow train the tickets of both seeds on copies of
that: on one and on two local Dask workers, and without a cluster, one stage at a time and two. The
ways take turns. Prints the seconds from the first ticket's start to the last one's end, and how
many times faster two are than one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_TICKETS = "imp@base-*"
_PARAMS = ["seeds=[0,1]", "compute.device=cpu", "compute.threads=1"]
_WAYS = {
    "one Dask worker": ["--dask", "--max-parallel", "1"],
    "two Dask workers": ["--dask", "--max-parallel", "2"],
    "no cluster, one stage at a time": ["--max-parallel", "1"],
    "no cluster, two at a time": ["--max-parallel", "2"],
}


def main() -> None:
    """Times every way and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder, "prepared")
        _copy_project(prepared)
        overrides = [*_PARAMS, *arguments.overrides]
        _flow(prepared, "pretrain@base-*", "--set", *overrides)
        seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
        for _ in range(arguments.repeats):
            for way, options in _WAYS.items():
                copy = Path(folder, "copy")
                shutil.copytree(prepared, copy, symlinks=True)
                seconds[way].append(_flow(copy, _TICKETS, *options))
                shutil.rmtree(copy)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    one, _, single, _ = medians.values()
    print("| way | s | against one |\n|---|---:|---:|")
    for (way, median), base in zip(medians.items(), (one, one, single, single), strict=True):
        print(f"| {way} | {median:.1f} | {base / median:.2f} |")


def _copy_project(to: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=_ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(_ROOT / name, target)
    subprocess.run(["git", "init", "-q"], cwd=to, check=True)


def _flow(project: Path, target: str, *options: str) -> float:
    """Runs the flow up to `target`; seconds from its first stage's start to the last one's end."""
    probes = project / ".dvc" / "tmp" / "probes"
    probes.parent.mkdir(exist_ok=True)
    probes.unlink(missing_ok=True)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "flows.imp_pool", "--targets", target, *options],
        cwd=project,
        env=inherited
        | {
            "PYTHONPATH": os.pathsep.join([str(project), str(_ROOT / "benchmarks" / "probes")]),
            "LP_PROBES": str(probes),
            "DO_NOT_TRACK": "1",
            "PREFECT_HOME": str(project / ".dvc" / "tmp" / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    events = [line.split() for line in probes.read_text().splitlines()]
    tasks = [(float(start), float(s)) for what, start, s in events if what == "task"]
    return max(start + s for start, s in tasks) - min(start for start, _ in tasks)


if __name__ == "__main__":
    main()
