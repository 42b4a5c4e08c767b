"""Sparse trainings of a tiny network on noise, laid out and run as DVC would."""

import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lp_core.data.store import Dataset
from lp_core.tickets import Ticket
from tasks import ending, ending_scores, sparse
from tasks.kit import paths
from tasks.kit.rows import Tables, read_rows
from tests.tasks.tiny import make_tickets

EPOCHS, START, STEPS = 5, 2, 4  # steps: of an epoch
METHODS: dict[str, dict[str, Any]] = {
    "dense": {"recipe": "dense"},
    "erk": {"recipe": "erk", "density": 0.3},
    "snip": {"recipe": "snip", "density": 0.3},
    "set": {"recipe": "set", "density": 0.3, "interval": 3},
    "rigl": {"recipe": "rigl", "density": 0.3, "interval": 3},
    "granet": {"recipe": "granet", "density": 0.3, "interval": 2, "until": 2},
}
_TWO = {"tickets": 2, "cycle": 1}
ENDINGS: dict[str, dict[str, Any]] = {
    "plain": {"tickets": 0},
    "cia": _TWO,
    "caa": _TWO | {"average": "caa"},
    "cima": _TWO | {"average": "cima", "beta": 0.7},
    "three": {"tickets": 3, "cycle": 1},
    "re-estimated": _TWO | {"batch_norm": "re-estimate", "calibration_images": 16},
    "fge": _TWO | {"schedule": "fge"},
    "search": _TWO | {"average": "search", "calibration_images": 16},
}
TRAIN: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "schedule": {"lr": 0.05},
    "augment": {"crop": 1, "flip": False},
}
SECTION: dict[str, Any] = {
    "prunable": "conv+linear",
    "start": START,
    "training": METHODS,
    "ending": ENDINGS,
    "siblings": {"methods": ["rigl"], "ending": "cia", "pool": "interpolation"},
}


def make_experiment(folder: Path, patch: pytest.MonkeyPatch, **train: Any) -> None:
    """In `folder`, which becomes the working directory. train: settings that are others."""
    changes = {"train": TRAIN | train, "sup_tickets": SECTION, "seeds": [0, 1]}
    make_tickets(folder, patch, changes)


def begin(method: str, seed: int = 0) -> bytes:
    """The stage `sparse`; the state that it leaves."""
    sparse.main(Namespace(variant="base", seed=seed, method=method))
    return paths.prefix("base", method, seed).read_bytes()


def end(method: str, name: str, seed: int = 0) -> dict[str, bytes]:
    """The stage `ending`, as DVC starts it: its outs are not there. What it leaves, by file."""
    folder = paths.ending("base", method, name, seed)
    shutil.rmtree(folder, ignore_errors=True)
    ending.main(Namespace(variant="base", seed=seed, method=method, ending=name))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def scored(method: str, name: str, seed: int = 0) -> Tables:
    """The rows that the stage `ending_scores` leaves."""
    ending_scores.main(Namespace(variant="base", seed=seed, method=method, ending=name))
    return read_rows(paths.rows("ending_scores", "base", seed, method, name)).tables


def ended(method: str, name: str, file: str = paths.END, seed: int = 0) -> Ticket:
    """A ticket that an ending has left."""
    return Ticket.load(paths.ending("base", method, name, seed) / file)


def forget_states() -> None:
    """As if no training had ever run."""
    shutil.rmtree(paths.RESUME, ignore_errors=True)


def dataset() -> Dataset:
    """Of the experiment."""
    return Dataset.load(paths.dataset("noise"))
