"""What it costs to find that nothing has to be done: `dvc repro` against the flow, in one run.

`python -m benchmarks.noop [--stages 100]` builds a toy project of that many stages in a temporary
folder, brings it up to date, and times what asks again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent

# Chains of ten rounds, as imp makes them: each stage reads some code, its parent and its params.
_DVC_YAML = """\
stages:
  base:
    cmd: echo base > out/base.txt
    deps: [source.txt]
    outs: [out/base.txt]
  round:
    matrix: {chain: "${chains}", round: "${rounds}"}
    cmd: echo ${item.chain} ${item.round.n} > out/${item.chain}-${item.round.n}.txt
    deps:
      - source.txt
      - code/a.py
      - code/b.py
      - code/c.py
      - out/base.txt
    params: [train]
    outs:
      - out/${item.chain}-${item.round.n}.txt
"""


def build(root: Path, stages: int) -> None:
    """Writes a project of `stages` stages into `root`, none of which has run."""
    rounds = 10 if stages % 10 == 1 else 1
    chains = (stages - 1) // rounds
    listed = "".join(f"  - {{n: {n}}}\n" for n in range(rounds))
    files = {
        ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n",
        "dvc.yaml": _DVC_YAML,
        "params.yaml": f"train: {{epochs: 1}}\nchains: {list(range(chains))}\nrounds:\n{listed}",
        "source.txt": "source\n",
        "code/a.py": "a = 1\n",
        "code/b.py": "b = 1\n",
        "code/c.py": "c = 1\n",
        "out/.keep": "",
        # The flow has params validated by the project's own tasks; this one has none to check.
        "tasks/__init__.py": "",
        "tasks/experiment.py": "def validate(path): pass\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def measure() -> None:
    """Prints, as JSON, the seconds that the flow takes in the project in the working directory."""
    from flows.graph import read_graph
    from flows.imp_pool import imp_pool
    from flows.server import server_or_temporary

    root = Path.cwd()
    read_graph(root)  # imports DVC
    graph = _seconds(lambda: read_graph(root))
    with server_or_temporary():
        imp_pool(["base"])  # starts the server
        flow = _seconds(imp_pool)
    print("\n" + json.dumps({"graph": graph, "flow": flow}))


def main() -> None:
    """Builds the project, times three ways to ask, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=100)
    stages = parser.parse_args().stages

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        build(root, stages)
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "PREFECT_HOME": f"{folder}/prefect",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "DVC_SITE_CACHE_DIR": f"{folder}/site",
        }

        def run(*command: str) -> str:
            return subprocess.run(
                [sys.executable, *command],
                cwd=root,
                env=environment,
                check=True,
                text=True,
                stdout=subprocess.PIPE,
            ).stdout

        first = _seconds(lambda: run("-m", "dvc", "repro", "-q"))
        repro = min(_seconds(lambda: run("-m", "dvc", "repro", "-q")) for _ in range(3))
        one = min(
            _seconds(lambda: run("-m", "dvc", "repro", "-q", "--single-item", "base"))
            for _ in range(3)
        )
        inside = json.loads(
            run("-c", "from benchmarks.noop import measure; measure()").split("\n")[-2]
        )
        whole = _seconds(lambda: run("-m", "flows.imp_pool"))

    rows = [
        (f"bringing {stages} stages up to date at first", first),
        ("`dvc repro`, whole process", repro),
        (f"`dvc repro --single-item`, one process times {stages}", one * stages),
        ("flow: graph read, all found cached", inside["graph"]),
        (f"flow: the run, {stages} Prefect tasks included", inside["flow"]),
        ("`python -m flows.imp_pool`, whole process with a server of its own", whole),
    ]
    width = max(len(name) for name, _ in rows)
    print(f"| {'nothing to do': <{width}} | seconds |\n|{'-' * (width + 2)}|--------:|")
    for name, seconds in rows:
        print(f"| {name:<{width}} | {seconds:7.2f} |")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
