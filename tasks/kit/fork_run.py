"""The training of a fork: what the stages `fork` and `subset_fork` do alike."""

from collections.abc import Sequence
from pathlib import Path

from lp_core.tickets import Ticket
from lp_core.training.forgetting import Forgetting
from tasks.kit import paths, resume
from tasks.kit.forks import Fork
from tasks.kit.from_start import train_from
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows
from tasks.kit.training import Finished, StageTrainer


def fork_trainer(stage: str, fork: Fork) -> StageTrainer:
    """Of the stage that trains it."""
    name = resume.stage_name(stage, fork.variant, fork.seed, *fork.item)
    return StageTrainer(name, fork.variant, fork.seed, noise=fork.noise)


def train_fork(
    stage: str, fork: Fork, trainer: StageTrainer, start: Ticket, inputs: Sequence[Path]
) -> None:
    """Train from `start` to the end of the schedule, and keep the ticket, what was forgotten on the
    way, and the rows. inputs: the files that the start and the samples are from.

    A fork that diverges is kept like any other: its ticket says that it has not converged.
    """
    train_labels = trainer.bench.dataset.labels("train")
    forgetting = Forgetting(len(train_labels))
    start.load_into(trainer.model)
    before = trainer.validate(trainer.model)
    trained = train_from(trainer, start, inputs, [forgetting])
    if trained is None:
        return
    finished, ticket = trained.finished, trained.ticket
    # On held-out images, at the start and after each epoch: what convergence is reckoned from.
    errors = [1 - before.accuracy, *(1 - epoch.val_accuracy for epoch in finished.curve)]
    subset = trainer.subset
    images = len(train_labels if subset is None else subset)
    ticket.meta |= {"errors": errors, "images": images} | fork.whose
    ticket.save(fork.folder / paths.END)
    forgetting.forgotten.save(fork.folder / paths.FORGETTING, **fork.whose)
    item = "-".join(map(str, fork.item))
    write_rows(
        paths.rows(stage, fork.variant, fork.seed, *fork.item),
        trainer.bench.head(stage, fork.variant, fork.seed, **fork.columns),
        {
            "fork_curves": _curve_rows(fork, finished, forgetting),
            "trainings": [fork.columns | {"train_seconds": finished.seconds}],
            "stages": [provenance(stage, item, trainer.compute, finished.seconds)],
        },
    )
    resume.finish(finished.state)


def _curve_rows(fork: Fork, finished: Finished, forgetting: Forgetting) -> list[Row]:
    """Rows of the table `fork_curves`."""
    return [
        fork.columns
        | {"epoch": epoch.epoch, "accuracy": epoch.val_accuracy, "loss": epoch.val_loss}
        | {"lr": epoch.lr, "events": events}
        for epoch, events in zip(finished.curve, forgetting.by_epoch, strict=True)
    ]
