"""A toy DVC project in a temporary folder, and what tests ask of it."""

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent

# Two branches of two rounds each, and a table of all: the shape of the real graph.
DVC_YAML = """\
stages:
  base:
    cmd: echo base >> ran.log; cp source.txt base.txt
    deps: [source.txt]
    outs: [base.txt]
  imp:
    matrix: {seed: "${seeds}", round: "${rounds}"}
    cmd: >-
      echo imp-${item.seed}-${item.round.ticket} >> ran.log;
      cat ${item.round.parent} base.txt > t${item.seed}-${item.round.ticket}.txt
    deps:
      - base.txt
      - ${item.round.parent}
    params: [train]
    outs:
      - t${item.seed}-${item.round.ticket}.txt
  table:
    cmd: >-
      echo table >> ran.log; mkdir -p results/figures;
      cat t0-1.txt t1-1.txt > results/summary.md; printf SVG > results/figures/accuracy.svg
    deps: [t0-1.txt, t1-1.txt]
    outs:
      - results/summary.md
      - results/figures
  aside:
    cmd: echo aside >> ran.log; echo aside > aside.txt
    deps: [source.txt]
    outs: [aside.txt]
"""
PARAMS = """\
# A toy experiment.
train:
  epochs: 2   # few
seeds: [0, 1]
rounds:
  - {ticket: 0, parent: rewind.txt}   # dense
  - {ticket: 1, parent: rewind.txt}
"""
STAGES = {
    "base",
    "aside",
    "imp@0-round0",
    "imp@0-round1",
    "imp@1-round0",
    "imp@1-round1",
    "table",
}
VALIDATE = """\
from pathlib import Path

from lp_core.errors import InputError


def validate(path: Path) -> None:
    if "epochs: -" in path.read_text():
        raise InputError(f"{path}: train.epochs must not be negative")
"""


class Toy:
    """A DVC project in `root`. Its stages note in ran.log that they ran."""

    def __init__(self, root: Path, dvc_yaml: str = DVC_YAML, params: str = PARAMS) -> None:
        self.root = root
        site = f"site_cache_dir = {root / '.dvc' / 'site'}"  # or it would lie where the test runs
        settings = ("no_scm = true", "analytics = false", site)
        self.write(".dvc/config", "\n    ".join(["[core]", *settings]) + "\n")
        self.write("dvc.yaml", dvc_yaml)
        self.write("params.yaml", params)
        self.write("source.txt", "source\n")
        self.write("rewind.txt", "rewind\n")
        # For the processes that tests start here; it stands before the project's own `tasks`.
        self.write("tasks/__init__.py", "")
        self.write("tasks/kit/__init__.py", "")
        self.write("tasks/kit/experiment.py", VALIDATE)
        writing = "tasks/kit/yaml_writing.py"  # what else the flows take from there
        self.write(writing, (REPO / writing).read_text())

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def ran(self) -> list[str]:
        """What ran since the last call, in order."""
        log = self.root / "ran.log"
        lines = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def dvc(self, *arguments: str) -> str:
        """What `dvc` prints; its success is checked."""
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def locked(self) -> set[str]:
        """The stages that dvc.lock records."""
        from dvc.utils.serialize import load_yaml

        return set(load_yaml(self.root / "dvc.lock")["stages"])


def environment(**more: str) -> dict[str, str]:
    """For a process that shall import this project's `flows` from wherever it runs."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return {**inherited, "PYTHONPATH": str(REPO), "DVC_NO_ANALYTICS": "1", **more}
