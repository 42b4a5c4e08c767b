"""The stage `imp`: which epoch of a training becomes the ticket."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lp_core.tickets import Ticket
from tasks import imp
from tasks.kit import paths
from tests.lp_core.strategies import bits
from tests.tasks.tiny import make_tickets, save_rewind_point

EPOCHS = 6
TRAIN: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": {"lr": 0.5},
    "augment": {"crop": 1, "flip": False},
}


def trained(checkpoint: str, noise: int, epochs: int = EPOCHS) -> tuple[Ticket, list[float]]:
    """Ticket 1, and the held-out accuracy after each epoch of its training."""
    params = json.loads(Path("params.yaml").read_text())
    params["imp"] |= {"fraction": 0.2, "checkpoint": checkpoint}
    params["train"] |= {"epochs": epochs, "noise": noise}
    Path("params.yaml").write_text(json.dumps(params))
    imp.main(Namespace(variant="base", seed=0, ticket=1, parent="0"))
    rows = json.loads(paths.rows("imp", "base", 0, 1).read_text())["tables"]["curves"]
    curve = [row["accuracy"] for row in rows if row["split"] == "val"]
    return Ticket.load(paths.ticket("base", 0, 1)), curve


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tickets(tmp_path, monkeypatch, {"train": TRAIN})
    save_rewind_point()


def overtrained() -> tuple[int, Ticket, list[float]]:
    """A noise seed whose last epoch is not its best; the ticket and the curve that it gives."""
    for noise in range(8):
        last, curve = trained("last", noise)
        if curve.index(max(curve)) < EPOCHS - 1:
            return noise, last, curve
    raise AssertionError("all of these runs were best at their end: they show nothing")


def test_the_last_epoch_is_the_ticket_unless_the_best_is_asked_for():
    noise, last, curve = overtrained()
    assert last.meta["epochs"] == EPOCHS
    assert last.meta["val_accuracy"] == curve[-1]
    best, same_curve = trained("best", noise)
    assert same_curve == curve, "which epoch is kept changes nothing in the training"
    first_best = curve.index(max(curve))
    assert best.meta["epochs"] == first_best + 1
    assert best.meta["val_accuracy"] == curve[first_best]
    stopped, _ = trained("last", noise, epochs=first_best + 1)
    assert bits(best.weights) == bits(stopped.weights)
    assert bits(best.buffers) == bits(stopped.buffers)
