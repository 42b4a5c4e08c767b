"""Forks of a tiny network on noise, laid out and run as DVC would."""

import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lp_core.tickets import Ticket
from tasks import fork, instability
from tasks.kit import paths
from tasks.kit.rows import Tables, read_rows
from tests.tasks.tiny import make_tickets, save_rewind_point

EPOCHS, REWIND, STEPS = 4, 1, 4  # steps: of an epoch
NOISE = [1, 2, 3]
TRAIN: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "schedule": {"lr": 0.05},
    "augment": {"crop": 1, "flip": False},
}
SECTION: dict[str, Any] = {"noise": NOISE, "threshold": 0.02, "starts": ["rewind", 2]}


def make_experiment(folder: Path, patch: pytest.MonkeyPatch, **changes: Any) -> None:
    """In `folder`, which becomes the working directory. changes: sections that are others."""
    sections = {"train": TRAIN, "sgd_noise": SECTION} | changes
    make_tickets(folder, patch, sections)
    save_rewind_point(REWIND)


def set_params(**changes: Any) -> None:
    """Other values of sections of params.yaml, laid over those that it has."""
    params = json.loads(Path("params.yaml").read_text())
    for section, values in changes.items():
        params[section] = params[section] | values if isinstance(values, dict) else values
    Path("params.yaml").write_text(json.dumps(params))


def forked(noise: int, start: str = "rewind") -> dict[str, bytes]:
    """The stage `fork`, as DVC starts it: its outs are not there. What it leaves, by file."""
    folder = paths.fork("base", 0, start, noise)
    shutil.rmtree(folder, ignore_errors=True)
    fork.main(Namespace(variant="base", seed=0, start=start, noise=noise))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def fork_rows(noise: int, start: str = "rewind") -> Tables:
    """The rows that the stage `fork` leaves."""
    return read_rows(paths.rows("fork", "base", 0, start, noise)).tables


def fork_ticket(noise: int, start: str = "rewind") -> Ticket:
    """What a fork came to."""
    return Ticket.load(paths.fork("base", 0, start, noise) / paths.END)


def measured(start: str = "rewind") -> Tables:
    """The rows that the stage `instability` leaves."""
    instability.main(Namespace(variant="base", seed=0, start=start))
    return read_rows(paths.rows("instability", "base", 0, start)).tables


def forget_states() -> None:
    """As if no training had ever run."""
    shutil.rmtree(paths.RESUME, ignore_errors=True)
