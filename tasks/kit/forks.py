"""Forks: trainings from one start that differ in their noise seed alone (SGD noise, 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lp_core.tickets import Ticket
from lp_core.training.forgetting import Forgetting
from tasks.kit import paths, resume
from tasks.kit.from_start import train_from
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows
from tasks.kit.training import Finished, StageTrainer


@dataclass(frozen=True)
class Fork:
    """Which fork: of a run's start, under a noise seed, without the samples `removed`."""

    variant: str
    seed: int
    start: str
    noise: int
    removed: str | None = None

    @property
    def folder(self) -> Path:
        """Of its ticket and of what it forgot."""
        if self.removed is None:
            return paths.fork(self.variant, self.seed, self.start, self.noise)
        return paths.subset_fork(self.variant, self.seed, self.removed, self.noise)

    @property
    def item(self) -> tuple[str, int]:
        """What tells it from the other forks of its stage in the same run."""
        return (self.removed or self.start, self.noise)

    @property
    def columns(self) -> Row:
        """What tells it from the other forks in the tables."""
        return {"start": self.start, "removed": self.removed, "noise": self.noise}

    def trainer(self, stage: str) -> StageTrainer:
        """Of the stage that trains it."""
        name = resume.stage_name(stage, self.variant, self.seed, *self.item)
        return StageTrainer(name, self.variant, self.seed, noise=self.noise)


def train_fork(
    stage: str, fork: Fork, trainer: StageTrainer, start: Ticket, inputs: Sequence[Path]
) -> None:
    """Train from `start` to the end of the schedule, and keep the ticket, what was forgotten on the
    way, and the rows. inputs: the files that the start and the samples are from.

    A fork that diverges is kept like any other: its ticket says that it has not converged.
    """
    train_labels = trainer.bench.dataset.labels("train")
    forgetting = Forgetting(len(train_labels))
    finished, ticket = train_from(trainer, start, inputs, forgetting)
    if not trainer.workers.first:
        return
    subset = trainer.subset
    ticket.meta |= {"images": len(train_labels if subset is None else subset)} | fork.columns
    ticket.meta |= {"variant": fork.variant, "seed": fork.seed}
    ticket.save(fork.folder / paths.END)
    forgetting.forgotten.save(fork.folder / paths.FORGETTING)
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
