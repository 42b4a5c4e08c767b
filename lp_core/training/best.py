"""The network as it was after the epoch with the highest held-out accuracy."""

from typing import Any

from torch import Tensor

from lp_core.training.hooks import Hook, Progress


class KeepBest(Hook):
    """Keeps a copy of the network after its best epoch: by held-out accuracy, the first of equals.

    `tensors` is that copy, the network's state dict on the compute device; `epoch` says when it
    was made. Only the first process validates, so only its copy is one.
    """

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.accuracy = -1.0
        self.tensors: dict[str, Tensor] = {}

    def after_epoch(self, progress: Progress) -> None:
        last = progress.curve[-1]
        if last.val_accuracy > self.accuracy:  # never where it is NaN
            self.epoch, self.accuracy = last.epoch, last.val_accuracy
            state = progress.model.state_dict()
            self.tensors = {name: tensor.detach().clone() for name, tensor in state.items()}

    def state_dict(self) -> dict[str, Any]:
        return self.tensors | {"epoch": self.epoch, "accuracy": self.accuracy}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.accuracy = state["epoch"], state["accuracy"]
        self.tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
