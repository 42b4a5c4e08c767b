"""What it costs to find that nothing has to be done.

`python -m benchmarks.noop [--stages 100] [--repeats 5] [--files 200000]` builds a made-up project
in a temporary folder, brings it up to date, and times, in turns: a bare start of DVC, `dvc repro`,
an empty Prefect flow with a temporary server, and this project's flow. Then it does the same for
a data set of many files, of which DVC either watches one small file or the whole folder.
It prints medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent

# The shape of the project's own graph: chains of rounds whose stages depend on data, on the round
# before, on fingerprints of their code and on half a dozen sections of params, and make two files.
_DVC_YAML = """\
stages:
  params:
    cmd: echo valid > params.valid
    deps: [params.yaml]
    outs: [params.valid]
  code:
    cmd: mkdir -p code && echo 1 > code/imp.json && echo 1 > code/network.json
    deps: [lp_core]
    outs: [code]
  data:
    cmd: mkdir -p data && echo data > data/images
    deps: [params.valid]
    params: [datasets.digits]
    outs: [data]
  imp:
    matrix: {round: "${rounds}"}
    cmd: >-
      mkdir -p tickets rows && echo ${item.round.name} > tickets/${item.round.name}
      && echo ${item.round.name} > rows/${item.round.name}
    params: [dataset, model, compute, train, rewind, imp.fraction]
    deps:
      - data
      - ${item.round.parent}
      - rewind.txt
      - params.valid
      - code/imp.json
      - code/network.json
    outs:
      - tickets/${item.round.name}
      - rows/${item.round.name}
"""
_PARAMS = """\
dataset: digits
datasets: {digits: {source: digits, val_fraction: 0.2}}
model: {name: resnet8}
compute: {device: auto, precision: auto, channels_last: true, threads: 1}
train: {epochs: 8, batch_size: 64, momentum: 0.9, augment: {crop: 1, flip: false}, devices: 1}
rewind: {epochs: 2}
imp: {fraction: 0.2}
rounds:
"""
_ROUNDS = 6  # in a chain
_CONFIG = "[core]\n    no_scm = true\n    analytics = false\n"
_EMPTY_FLOW = "from prefect import flow\n@flow\ndef empty(): pass\nempty()"

_ONE_DATA_SET = """\
stages:
  dataset:
    cmd: echo data > data.bin
    deps: [{watch}]
    outs: [data.bin]
"""


def build(root: Path, stages: int) -> None:
    """Writes a project of `stages` stages into `root`, none of which has run."""
    lines = []
    for number in range(stages - 3):
        parent = f"tickets/t{number - 1}" if number % _ROUNDS else "first.txt"
        lines.append(f"  - {{name: t{number}, parent: {parent}}}\n")
    modules = {f"lp_core/part{n // 10}/module{n}.py": f"x = {n}\n" for n in range(100)}
    _write(
        root,
        {
            ".dvc/config": _CONFIG,
            "dvc.yaml": _DVC_YAML,
            "params.yaml": _PARAMS + "".join(lines),
            "rewind.txt": "rewind\n",
            "first.txt": "rewind\n",
            # The flow has params validated by the project's own code; here is nothing to check.
            "tasks/__init__.py": "",
            "tasks/kit/__init__.py": "",
            "tasks/kit/experiment.py": "def validate(path): pass\n",
            **modules,
        },
    )


def build_data_set(root: Path, files: int) -> None:
    """Writes a folder of `files` small files into `root`, and beside it two projects that read it.

    In `watching-file` DVC watches one small file of them, in `watching-folder` the folder.
    """
    for number in range(files):
        folder = root / "images" / f"class{number // 1000}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}.jpg").write_bytes(b"%d" % number)
    (root / "images" / "README").write_text("version 1\n")
    for name, watch in (
        ("watching-file", "../images/README"),
        ("watching-folder", "../images"),
    ):
        dvc_yaml = _ONE_DATA_SET.format(watch=watch)
        _write(root / name, {".dvc/config": _CONFIG, "dvc.yaml": dvc_yaml})


def main() -> None:
    """Builds the projects, times every way to ask, and prints a table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--files", type=int, default=200_000)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        environment = inherited | {
            "PYTHONPATH": str(_ROOT),
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": f"{folder}/site",
            "PREFECT_HOME": f"{folder}/prefect",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
        }
        project = root / "project"
        build(project, arguments.stages)
        _python(project, environment, "-m", "dvc", "repro", "-q")
        commands = {
            "`dvc version`": ("-m", "dvc", "version"),
            f"`dvc repro`, {arguments.stages} stages": ("-m", "dvc", "repro", "-q"),
            "an empty Prefect flow, temporary server": ("-c", _EMPTY_FLOW),
            f"`python -m flows.imp_pool`, {arguments.stages} stages": ("-m", "flows.imp_pool"),
        }
        ways = {name: _timer(project, environment, *command) for name, command in commands.items()}
        seconds = _medians(ways, arguments.repeats)
        version, repro, empty, flow = seconds.values()
        _print_table(
            "nothing to do",
            {
                **dict(zip(commands, [f"{s:.2f} s" for s in seconds.values()], strict=True)),
                "`dvc repro` in starts of `dvc version`": f"{repro / version:.1f}",
                "the flow in empty flows": f"{flow / empty:.2f}",
            },
        )

        build_data_set(root, arguments.files)
        ways = {}
        for name in ("watching-file", "watching-folder"):
            _python(root / name, environment, "-m", "dvc", "repro", "-q")
            ways[name] = _timer(root / name, environment, "-m", "dvc", "repro", "-q")
        seconds = _medians(ways, arguments.repeats)
        rows = {
            "`dvc repro`, DVC watches one small file": f"{seconds['watching-file']:.2f} s",
            "`dvc repro`, DVC watches the folder": f"{seconds['watching-folder']:.2f} s",
        }
        _print_table(f"a data set of {arguments.files:,} files", rows)


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _python(cwd: Path, environment: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _timer(cwd: Path, environment: Mapping[str, str], *arguments: str) -> Callable[[], float]:
    def seconds() -> float:
        start = time.perf_counter()
        _python(cwd, environment, *arguments)
        return time.perf_counter() - start

    return seconds


def _medians(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median seconds of each way; they take turns, after a round that does not count."""
    rounds = [{name: measure() for name, measure in ways.items()} for _ in range(repeats + 1)]
    return {name: statistics.median(r[name] for r in rounds[1:]) for name in ways}


def _print_table(title: str, rows: Mapping[str, str]) -> None:
    left = max(map(len, [title, *rows]))
    right = max(map(len, rows.values()))
    print(f"\n| {title:<{left}} | {'':>{right}} |\n|{'-' * (left + 2)}|{'-' * (right + 1)}:|")
    for name, value in rows.items():
        print(f"| {name:<{left}} | {value:>{right}} |")


if __name__ == "__main__":
    main()
