"""A copy of the project with a tiny experiment on real digits, for tests that run its real DAG."""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from dvc.repo import Repo
from ruamel.yaml import YAML

from flows.processes import Commands
from tasks.kit.code import PROJECT as ROOT

_COPIED = (
    *("lp_core", "tasks", "flows", "presets", "own", ".dvc/plots"),
    *("dvc.yaml", "params.yaml", "constraints.txt", "prefect.toml", ".dvcignore", ".gitignore"),
    *(".dvc/config", ".dvc/.gitignore", ".site-cache/repo/.gitignore"),
)

TINY: dict[str, Any] = {
    "seeds": [0],
    "corrupt": {
        "digits": {
            "source": "generate",
            "watch": "constraints.txt",
            "images": 40,
            "corruptions": ["gaussian_noise", "snow"],
            "severities": [1, 5],
        },
    },
    "train": {
        "epochs": 3,
        "batch_size": 64,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "schedule": {"kind": "step", "lr": 0.1, "drops": [2]},
        "augment": {"crop": 1, "flip": False},
    },
    "rewind": {"mode": "fixed", "epochs": 1},
    "imp": {
        "prunable": "conv",
        "fraction": 0.2,
        "checkpoint": "last",
        "rounds": [{"ticket": 0, "parent": "rewind"}, {"ticket": 1, "parent": 0}],
    },
    "grid": ["base", "no-rewind"],
    "imports": {},
    "pooling": {
        "variants": ["base"],
        "methods": ["interpolation", "swa", "greedy-soup"],
        "corrupted": ["interpolation", "swa"],
        "ensemble": "interpolation",
        "scoring": {
            "search": "halving",
            "batch_norm": "re-estimate",
            "calibration_images": 128,
        },
        "recipes": {
            "interpolation": {"recipe": "search", "coefficients": [0.2, 0.5, 0.8]},
            "swa": {"recipe": "swa"},
            "greedy-soup": {"recipe": "greedy-soup"},
        },
    },
    "sup_tickets": {
        "variants": ["base"],
        "methods": ["rigl"],
        "endings": ["plain", "cia"],
        "corrupted": ["cia"],
        "ablated": ["rigl"],
        "ablations": [],
        "ensembles": [],
        "efficient_ensembles": [],
        "siblings": {"methods": ["rigl"], "ending": "cia", "pool": "interpolation"},
        "prunable": "conv+linear",
        "start": 1,
        "training": {
            "dense": {"recipe": "dense"},
            "rigl": {"recipe": "rigl", "density": 0.2, "interval": 5},
            "set": {"recipe": "set", "density": 0.2, "interval": 5},
        },
        "ending": {
            "plain": {"tickets": 0},
            "cia": {"tickets": 2, "cycle": 1},
            "caa": {"tickets": 1, "cycle": 1, "average": "caa"},
            "search": {"tickets": 2, "cycle": 1, "average": "search", "calibration_images": 128},
        },
    },
    "sgd_noise": {  # switched off; tests.dag.sgd_noise has it on
        "variants": [],
        "noise": [1, 2],
        "starts": ["rewind"],
        "threshold": 0.02,
        "subsets": {"variants": [], "removed": ["easiest-30"]},
        "crossed": [],
        "crossed_tickets": [],
        "probes": {
            "tickets": [],
            "epochs": 1,
            "batch_size": 128,
            "lr": 0.005,
            "momentum": 0.9,
            "weight_decay": 0.0001,
        },
        "transfer": {"tickets": [], "targets": []},
        "few_shot": {"tickets": [], "networks": ["ticket"], "percent": [20], "selections": []},
        "stable_rewind": {"variants": [], "steps": []},
    },
}

# Folders in which stages leave what they make.
MADE = (
    *("code", "data", "rewind", "tickets", "pools", "sparse", "endings"),
    *("forks", "difficulty", "subset_forks", "rewind_search", "rows", "results"),
)


class Project:
    """A checkout in which commands run as a user would run them."""

    def __init__(self, root: Path) -> None:
        """Makes it in a folder that exists."""
        self.root = root
        for name in _COPIED:
            source = ROOT / name
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, root / name)
        self.params(TINY)
        self.run("git", "init", "-q")

    @classmethod
    def at(cls, root: Path) -> "Project":
        """The one that was made there."""
        project = object.__new__(cls)
        project.root = root
        return project

    def copy(self, root: Path) -> "Project":
        """With all that was made in it."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project.at(root)

    def table(self, name: str) -> Any:
        """A table of results/, as pandas has it."""
        return pq.read_table(self.root / "results" / f"{name}.parquet").to_pandas()

    def params(self, changes: dict[str, Any]) -> None:
        """Replace sections of params.yaml."""
        yaml = YAML()
        path = self.root / "params.yaml"
        values = yaml.load(path.read_text())
        values.update(changes)
        with path.open("w") as file:
            yaml.dump(values, file)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a line of code; `old` must be there."""
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    @property
    def env(self) -> dict[str, str]:
        """Of the commands: this Python's tools first, and the copy's own code before any other."""
        bin_folder = str(Path(sys.executable).parent)
        return os.environ | {
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "DO_NOT_TRACK": "1",
        }

    def run(self, *command: str, check: bool = True) -> str:
        """Output of a command, both streams. With `check`, a failing command fails the test."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def dvc(self, *arguments: str, check: bool = True) -> str:
        """Output of `dvc`, as `run` gives it; forked from an interpreter that has its imports.

        Its stages are forked from there as well, as a flow's are: each takes two seconds less.
        """
        lines: list[str] = []
        command = [sys.executable, "-m", "dvc", *arguments]
        status = _commands().run(command, self.root, self.env, lines.append)
        output = "\n".join(lines)
        assert not check or status == 0, f"dvc {' '.join(arguments)}\n{output}"
        return output

    def repro(self, *arguments: str) -> list[str]:
        """`dvc repro`: names of the stages that ran, in order."""
        return _ran(self.dvc("repro", *arguments))

    def flow(self, name: str, *arguments: str) -> list[str]:
        """A flow: the same. Many stages take it less time, as it imports what they need once."""
        return _ran(self.run("python", "-m", f"flows.{name}", "--max-parallel", "2", *arguments))

    def stale(self) -> list[str]:
        """Names of the stages that `dvc repro` would begin with."""
        with Repo(str(self.root)) as repo, repo.lock:
            return [stage.name for stage in repo.index.stages if stage.status()]

    def reruns(self) -> list[str]:
        """Names of the stages that `dvc repro` has to run after a change: each once.

        Those that the tables build on do run. Of the others those are named that are stale then,
        such as the report: its figures take longer than all the rest.
        """
        return [*self.repro("tables"), *self.stale()]


@functools.cache
def _commands() -> Commands:
    """Its warm interpreter ends with this process."""
    commands = Commands()
    commands.warm_up(os.environ)
    return commands


def _ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(.+?)'", output)
