"""Counts forgetting events while a network trains (SGD noise, section 3.2; Toneva et al. 2019).

A sample is forgotten where it is predicted wrongly and was predicted rightly the last time that it
was presented. What counts is the prediction that the training step makes anyway, so that counting
costs next to nothing.
"""

from typing import Any

import torch
from torch import Tensor

from lp_core.analysis.forgetting import Forgotten
from lp_core.training.hooks import Hook, Progress

# What an epoch saw of a sample. Of several processes one sees it, so that their sum is its report.
_WRONG, _RIGHT = 1, 2


class Forgetting(Hook):
    """Keeps for each sample of the training split how it was learned and forgotten.

    An epoch presents a sample once at most. One that it does not present (outside the subset, or
    left over by the last batch) keeps what it had. All tensors are on the CPU, the same in every
    process after each epoch.

    `by_epoch` has for each finished epoch the forgetting events per sample that it presented.
    """

    def __init__(self, samples: int) -> None:
        """samples: of the whole training split, whatever part of it is trained on."""
        self.events = torch.zeros(samples, dtype=torch.int32)
        self.presented = torch.zeros(samples, dtype=torch.int32)
        self.learned = torch.zeros(samples, dtype=torch.bool)
        self.by_epoch: list[float] = []
        self._right_last = torch.zeros(samples, dtype=torch.bool)
        # Of each step: samples, labels, highest logits and whose they are, on the device. A step
        # does no more than that; the rest waits for the epoch's end.
        self._steps: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    @property
    def forgotten(self) -> Forgotten:
        """What was counted up to the last finished epoch."""
        return Forgotten(self.events.clone(), self.learned.clone(), self.presented.clone())

    def after_backward(self, progress: Progress) -> None:
        batch = progress.batch
        self._steps.append((batch.indices, batch.labels, *progress.logits.max(1)))

    def after_epoch(self, progress: Progress) -> None:
        columns = zip(*self._steps, strict=True)
        samples, labels, highest, predicted = (torch.cat(column).cpu() for column in columns)
        self._steps.clear()
        # Of a diverged network the highest is NaN or infinite, which is no prediction.
        right = (predicted == labels) & highest.isfinite()
        seen = torch.zeros(len(self.events), dtype=torch.int8)
        seen[samples] = torch.where(right, _RIGHT, _WRONG).to(torch.int8)
        seen = progress.workers.sum(seen)
        forgotten = self._right_last & (seen == _WRONG)
        self.events += forgotten
        self.presented += seen > 0
        self.learned |= seen == _RIGHT
        self._right_last[seen > 0] = seen[seen > 0] == _RIGHT
        self.by_epoch.append(int(forgotten.sum()) / int((seen > 0).sum()))

    def state_dict(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "presented": self.presented,
            "learned": self.learned,
            "right_last": self._right_last,
            "by_epoch": self.by_epoch,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.events, self.presented = state["events"].cpu(), state["presented"].cpu()
        self.learned, self._right_last = state["learned"].cpu(), state["right_last"].cpu()
        self.by_epoch = list(state["by_epoch"])
