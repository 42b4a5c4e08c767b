"""A training from a start to the end of the schedule, whose last epoch is what counts."""

import math
from collections.abc import Sequence
from pathlib import Path

from lp_core.tickets import Ticket
from lp_core.training.evaluation import above_chance
from lp_core.training.hooks import Hook
from tasks.kit.starts import epochs_left
from tasks.kit.training import Finished, StageTrainer


def train_from(
    trainer: StageTrainer, start: Ticket, inputs: Sequence[Path], *hooks: Hook
) -> tuple[Finished, Ticket]:
    """Train as a ticket is trained: the start's weights and statistics under its mask, no momentum,
    the schedule going on from its epoch.

    inputs: the files that the start and the samples are from. The ticket's meta is that of the
    start, and: epochs, density, precision, whether it converged, and `errors`, on held-out images,
    at the start and after each epoch. Raises InputError where no epoch is left.
    """
    epochs = epochs_left(start, trainer.spec.epochs)
    start.load_into(trainer.model)
    before = trainer.validate(trainer.model)
    masks = start.mask
    # The digest: not every start is a file.
    state = trainer.state(masks, epochs, inputs, settings=[start.digest])
    finished = trainer.train(masks, epochs, state, hooks=hooks)
    end = finished.curve[-1]
    ticket = Ticket.of(trainer.model, masks, start.meta)
    labels = trainer.bench.dataset.labels("val")
    ticket.meta |= {
        "epochs": end.epoch + 1,
        "density": ticket.density,
        "precision": trainer.compute.precision,
        "converged": math.isfinite(end.loss) and above_chance(end.val_accuracy, labels),
        "errors": [1 - before.accuracy, *(1 - epoch.val_accuracy for epoch in finished.curve)],
    }
    return finished, ticket
