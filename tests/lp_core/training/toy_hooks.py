"""One small hook of each kind: one that changes masks, one that averages weights, one that counts.

`every` makes all three, each with a state of its own kind.
"""

from typing import Any

import torch
from torch import Tensor

from lp_core.training.hooks import Hook, Progress
from tests.lp_core.tiny import TRAINING_IMAGES


class PruneAndGrow(Hook):
    """As RigL does: every few steps small weights go and those of large gradients come."""

    def __init__(self, every: int = 2, share: float = 0.3) -> None:
        self.every, self.share = every, share
        self.updates = 0

    def after_backward(self, progress: Progress) -> None:
        if (progress.step + 1) % self.every:
            return
        self.updates += 1
        changed, gradients = {}, progress.dense_gradients()
        for name, kept in progress.masks.items():
            weight = progress.model.get_parameter(name)
            count = min(int(self.share * int(kept.sum())), int((~kept).sum()))
            smallest = weight.detach().abs().masked_fill(~kept, float("inf")).flatten()
            steepest = gradients[name].abs().masked_fill(kept, -1).flatten()
            mask = kept.flatten().clone()
            mask[smallest.topk(count, largest=False).indices] = False
            mask[steepest.topk(count).indices] = True
            changed[name] = mask.view(kept.shape)
        progress.masks.change(changed)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]


class RunningAverage(Hook):
    """Of the weights at each epoch's end; half of the way there the network goes on from it."""

    def __init__(self) -> None:
        self.average: dict[str, Tensor] = {}
        self.count = 0

    @torch.no_grad()
    def after_epoch(self, progress: Progress) -> None:
        self.count += 1
        for name, parameter in progress.model.named_parameters():
            average = self.average.setdefault(name, torch.zeros_like(parameter))
            average += (parameter - average) / self.count
            parameter.lerp_(average, 0.5)

    def state_dict(self) -> dict[str, Any]:
        return self.average | {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state.pop("count")
        self.average = state


class Forgetting(Hook):
    """How often each sample was got right once and wrong the next time, on batches as trained."""

    def __init__(self) -> None:
        self.correct = torch.zeros(TRAINING_IMAGES, dtype=torch.bool)
        self.forgotten = torch.zeros(TRAINING_IMAGES, dtype=torch.int64)
        self.seen: list[list[int]] = []

    def after_backward(self, progress: Progress) -> None:
        batch = progress.batch
        correct = progress.logits.argmax(1) == batch.labels
        self.forgotten[batch.indices] += self.correct[batch.indices] & ~correct
        self.correct[batch.indices] = correct
        self.seen.append(batch.indices.tolist())

    def state_dict(self) -> dict[str, Any]:
        return {"correct": self.correct, "forgotten": self.forgotten, "seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.correct, self.forgotten = state["correct"], state["forgotten"]
        self.seen = state["seen"]


def every() -> list[Hook]:
    return [PruneAndGrow(), RunningAverage(), Forgetting()]
