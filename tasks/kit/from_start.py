"""A training from a start to the end of the schedule, resumable, and the ticket that it leaves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lp_core.tickets import Ticket
from lp_core.training.best import KeepBest
from lp_core.training.evaluation import above_chance
from lp_core.training.hooks import Hook
from tasks.kit.starts import epochs_left
from tasks.kit.training import Finished, StageTrainer


@dataclass(frozen=True)
class Trained:
    """A training that is over, and the ticket of the epoch that counts.

    The ticket's meta is that of the start, and: epochs, density, precision, val_accuracy, and
    whether it converged.
    """

    ticket: Ticket
    finished: Finished


def train_from(
    trainer: StageTrainer,
    start: Ticket,
    inputs: Sequence[Path],
    hooks: Sequence[Hook] = (),
    best: KeepBest | None = None,
) -> Trained | None:
    """Train as a ticket is trained (Algorithm 1, line 4): the start's weights and statistics under
    its mask, no momentum, the schedule going on from its epoch.

    inputs: the files that the start and the samples are from. best: one more hook, whose epoch
    counts; None for the last epoch. None in all processes that share the training but the first.
    Raises InputError where no epoch is left.
    """
    epochs, masks = epochs_left(start, trainer.spec.epochs), start.mask
    start.load_into(trainer.model)
    # The digest: not every start is a file.
    state = trainer.state(masks, epochs, inputs, settings=[best is not None, start.digest])
    finished = trainer.train(masks, epochs, state, hooks=[*hooks, best] if best else hooks)
    if not trainer.workers.first:
        return None
    end = finished.curve[-1]
    if best:
        trainer.model.load_state_dict(best.tensors)
        end = next(row for row in finished.curve if row.epoch == best.epoch)
    ticket = Ticket.of(trainer.model, masks, start.meta)
    labels = trainer.bench.dataset.labels("val")
    ticket.meta |= {
        "epochs": end.epoch + 1,
        "density": ticket.density,
        "precision": trainer.compute.precision,
        "converged": math.isfinite(end.loss) and above_chance(end.val_accuracy, labels),
        "val_accuracy": end.val_accuracy,
    }
    return Trained(ticket, finished)
