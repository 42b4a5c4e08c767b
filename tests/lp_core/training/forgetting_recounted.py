"""The counts of forgetting, from predictions that another hook wrote down."""

from collections.abc import Iterable
from typing import NamedTuple

from lp_core.training.hooks import Hook, Progress


class Seen(NamedTuple):
    """One sample of one step, as it was trained on."""

    epoch: int
    sample: int
    right: bool


class Predictions(Hook):
    """Writes down what each step predicted of each of its samples."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def after_step(self, progress: Progress) -> None:
        predicted = progress.logits.float().tolist()
        for logits, label, sample in zip(
            predicted, progress.batch.labels.tolist(), progress.batch.indices.tolist(), strict=True
        ):
            right = logits.index(max(logits)) == label
            self.seen.append(Seen(progress.epoch, sample, right))


class Count(NamedTuple):
    """For each sample: events, learned, presented. by_epoch: events per sample presented in it."""

    events: list[int]
    learned: list[bool]
    presented: list[int]
    by_epoch: list[float]


def recount(seen: Iterable[Seen], samples: int) -> Count:
    """Sample by sample, over its presentations in order."""
    histories: list[list[Seen]] = [[] for _ in range(samples)]
    for one in sorted(seen, key=lambda one: one.epoch):
        histories[one.sample].append(one)
    forgotten: list[Seen] = []
    for history in histories:
        for index in range(1, len(history)):
            if history[index - 1].right and not history[index].right:
                forgotten.append(history[index])
    epochs = sorted({one.epoch for history in histories for one in history})
    present = [sum(one.epoch == e for h in histories for one in h) for e in epochs]
    return Count(
        [sum(one.sample == sample for one in forgotten) for sample in range(samples)],
        [any(one.right for one in history) for history in histories],
        [len(history) for history in histories],
        [
            sum(one.epoch == epoch for one in forgotten) / count
            for epoch, count in zip(epochs, present, strict=True)
        ],
    )
