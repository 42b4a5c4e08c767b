"""A ticket's training, whoever found its mask: the epoch that counts, and what it scores."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lp_core.tickets import Ticket
from lp_core.training.best import KeepBest
from tasks.kit.from_start import Trained, train_from
from tasks.kit.rows import Row
from tasks.kit.training import StageTrainer


def train_ticket(trainer: StageTrainer, start: Ticket, inputs: Sequence[Path]) -> Trained | None:
    """As `train_from`; which epoch counts, the section imp.checkpoint says."""
    wants_best = trainer.params.section("imp.checkpoint", str) == "best"
    return train_from(trainer, start, inputs, best=KeepBest() if wants_best else None)


def score_rows(trainer: StageTrainer, trained: Trained) -> list[Row]:
    """Scores of the ticket on held-out and test images, and what its training came to."""
    bench, ticket = trainer.bench, trainer.bench.to_device(trained.ticket)
    whole = {"density": ticket.density, "converged": ticket.meta["converged"]}
    whole["train_seconds"] = trained.finished.seconds
    splits = ("val", "test")
    return [whole | {"split": s} | asdict(bench.scores(ticket, s)) for s in splits]
