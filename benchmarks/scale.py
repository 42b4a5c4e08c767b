"""What a flow costs beside the work of its stages, and how that grows with their number.

`python -m benchmarks.scale [--stages 100 1000] [--workers 8] [--fresh 1000] [--threads]` makes a
graph of that many small stages (see `benchmarks.scale_project`) in a temporary folder, runs the
flow on it, on local Dask workers or (`--threads`) in the flow's own process, and prints where the
time of a stage goes. With `--fresh 100` all stages but a hundred are up to date when it starts:
what a stage costs in a graph of that size, without a run of hours (what Prefect is told of the
others counts as theirs). A worker's seconds are wall seconds times workers; where other work
disturbs the machine, CPU seconds tell more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import psutil

from benchmarks.scale_project import OWN, SHARED, VARIANT, bring_up_to_date, build

_ROOT = Path(__file__).resolve().parent.parent
_LOOK_SECONDS = 0.5
_PARTS = {
    "server": "temporary_server.py",
    "workers": "temporary_worker.py",
    "DVC and commands": "flows.warm",
}

_Events: TypeAlias = dict[str, list[tuple[float, float]]]  # when each began, and its seconds


def main() -> None:
    """Runs every size and prints a table with a column for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--fresh", type=int, help="stages that have not run yet (default: all)")
    parser.add_argument("--threads", action="store_true", help="in the flow's process, no Dask")
    arguments = parser.parse_args()
    columns = {}
    for stages in arguments.stages:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "project")
            count = fresh = build(root, max(1, stages // VARIANT))
            if arguments.fresh is not None and arguments.fresh < stages:
                fresh = bring_up_to_date(root, max(1, arguments.fresh // VARIANT))
            cluster = [] if arguments.threads else ["--dask"]
            columns[count] = _measure(root, fresh, arguments.workers, cluster)
            _print_table(columns)


def _measure(root: Path, stages: int, workers: int, cluster: list[str]) -> dict[str, float]:
    """The rows of the table for a run of the whole graph."""
    probes = root.parent / "probes"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    command = [sys.executable, "-m", "flows.imp_pool", "--targets", "*"]
    began = time.monotonic()
    with open(root.parent / "output", "w+") as output:
        flow = subprocess.Popen(
            [*command, "--max-parallel", str(workers), *cluster],
            cwd=root,
            env=inherited
            | {
                "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "benchmarks" / "probes")]),
                "LP_PROBES": str(probes),
                "DO_NOT_TRACK": "1",
                "DVC_NO_ANALYTICS": "1",
                "PREFECT_HOME": str(root.parent / "prefect"),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        cpu = _cpu_seconds(flow)
        ended = time.monotonic()
        if flow.returncode:
            output.seek(0)
            sys.exit(output.read())
    own = [tuple(map(float, line.split())) for line in (root / OWN).read_text().splitlines()]
    assert len(own) == stages
    return _rows(_read(probes), began, ended, workers, sum(e - b for b, e in own), stages) | {
        f"CPU s a stage: {part}": seconds / stages for part, seconds in cpu.items()
    }


def _cpu_seconds(flow: subprocess.Popen[bytes]) -> dict[str, float]:
    """Waits for the flow to end; the CPU seconds of its parts."""
    process = psutil.Process(flow.pid)
    seen: dict[int, tuple[str, float]] = {}
    while True:
        for one in [process, *process.children(recursive=True)]:
            try:
                line, times = " ".join(one.cmdline()), one.cpu_times()
            except psutil.Error:  # it has just ended
                continue
            parts = [part for part, name in _PARTS.items() if name in line]
            if one.pid != flow.pid and not parts:
                continue
            part, seconds = parts[0] if parts else "flow", times.user + times.system
            if part == "DVC and commands":  # what was forked from it, and has ended
                seconds += times.children_user + times.children_system
            seen[one.pid] = part, seconds
        if flow.poll() is not None:
            break
        time.sleep(_LOOK_SECONDS)
    return {
        part: sum(seconds for which, seconds in seen.values() if which == part)
        for part in ("flow", *_PARTS)
    }


def _read(probes: Path) -> _Events:
    events: _Events = defaultdict(list)
    for line in probes.read_text().splitlines():
        what, began, seconds = line.split()
        events[what].append((float(began), float(seconds)))
    return events


def _rows(
    events: _Events, began: float, ended: float, workers: int, own: float, stages: int
) -> dict[str, float]:
    tasks = sorted((start, start + seconds) for start, seconds in events["task"])
    # The first stages run one after another; what counts is how it goes when all are busy.
    busy = tasks[SHARED:] if stages % VARIANT else tasks
    first, last = busy[0][0], max(end for _, end in busy)
    a_worker = (last - first) * workers / len(busy)
    inside = sum(end - start for start, end in busy) / len(busy)
    held = [(b, s) for b, s in events["held"] if b >= first]
    graphs = sum(seconds for _, seconds in events["graph"])
    of = {
        what: sum(s for b, s in events[what] if b >= first) / len(busy)
        for what in ("task", "dvc", "wait", "held", "command")
    }
    tenth = (last - first) / 10
    return {
        "s before the stages run side by side": first - began,
        "of these, s to read the graph": graphs,
        "s after the last stage": ended - last,
        "stages a second": len(busy) / (last - first),
        "a worker's s for a stage": a_worker,
        "- Prefect and Dask": a_worker - inside,
        "- around DVC": of["task"] - of["dvc"],
        "- DVC waits for its lock": of["wait"],
        "- DVC holds its lock": of["held"],
        "- a command is started": of["command"] - own / stages,
        "- the stage's own": own / stages,
        "ms of a hold, the first tenth": 1000 * _median(held, 0, first + tenth),
        "ms of a hold, the last tenth": 1000 * _median(held, last - tenth, last),
    }


def _median(events: list[tuple[float, float]], after: float, before: float) -> float:
    seconds = [seconds for began, seconds in events if after <= began <= before]
    return statistics.median(seconds) if seconds else float("nan")


def _print_table(columns: dict[int, dict[str, float]]) -> None:
    print("\n| stages | " + " | ".join(f"{count:,}" for count in columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for row in next(iter(columns.values())):
        print(f"| {row} | " + " | ".join(f"{rows[row]:.3g}" for rows in columns.values()) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
