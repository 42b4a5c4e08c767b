"""A ticket's training (Algorithm 1, line 4), whoever found its mask: from the rewind point to the
last epoch, resumable, and what it came to."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lp_core.tickets import Ticket
from lp_core.training.best import KeepBest
from lp_core.training.evaluation import above_chance
from tasks.kit.rows import Row
from tasks.kit.starts import epochs_left
from tasks.kit.training import Finished, StageTrainer


@dataclass(frozen=True)
class TicketRun:
    """A training that is over, and the ticket of the epoch that counts.

    The ticket's meta is that of the rewind point, and: epochs, density, precision, val_accuracy,
    and whether it converged.
    """

    ticket: Ticket
    finished: Finished

    def score_rows(self, trainer: StageTrainer) -> list[Row]:
        """Scores of the ticket on held-out and test images, and what its training came to."""
        bench, ticket = trainer.bench, trainer.bench.to_device(self.ticket)
        whole = {"density": ticket.density, "converged": ticket.meta["converged"]}
        whole["train_seconds"] = self.finished.seconds
        splits = ("val", "test")
        return [whole | {"split": s} | asdict(bench.scores(ticket, s)) for s in splits]


def train_ticket(trainer: StageTrainer, start: Ticket, inputs: Sequence[Path]) -> TicketRun | None:
    """Train an untrained ticket to the end of the schedule.

    start: as `start_point` gives it. inputs: the files that weights and mask are from. Reads the
    section imp.checkpoint. None in all processes that share the training but the first. Raises
    InputError where no epoch is left.
    """
    epochs = epochs_left(start, trainer.spec.epochs)
    start.load_into(trainer.model)
    wants_best = trainer.params.section("imp.checkpoint", str) == "best"
    best = KeepBest()
    state = trainer.state(start.mask, epochs, inputs, settings=[wants_best])
    finished = trainer.train(start.mask, epochs, state, hooks=[best] if wants_best else [])
    if not trainer.workers.first:
        return None
    end = finished.curve[-1]
    if wants_best:
        trainer.model.load_state_dict(best.tensors)
        end = next(row for row in finished.curve if row.epoch == best.epoch)
    ticket = Ticket.of(trainer.model, start.mask, start.meta)
    labels = trainer.bench.dataset.labels("val")
    ticket.meta |= {
        "epochs": end.epoch + 1,
        "density": ticket.density,
        "precision": trainer.compute.precision,
        "converged": math.isfinite(end.loss) and above_chance(end.val_accuracy, labels),
        "val_accuracy": end.val_accuracy,
    }
    return TicketRun(ticket, finished)
