"""What happens in a training run beside its SGD steps: prune and grow, superpose, count forgetting.

A hook overrides the points that it needs and keeps its state where `state_dict` finds it, so that a
killed run goes on with it bit for bit.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.epoch import Batch
from lp_core.training.curve import Epoch
from lp_core.training.distributed import Workers
from lp_core.training.masks import Masks
from lp_core.training.sgd import SGD


@dataclass
class Progress:
    """Where a run stands, and what a hook may look at or change.

    model: the network itself, not what wraps it among several processes. epoch: counts from the
    schedule's beginning, from 0. step: the optimiser's steps, likewise. steps_per_epoch: number of
    batches. lr: rate of this step. curve: the finished epochs. workers: the processes that share
    the run; a batch is this one's share, gradients after `backward` are the mean over all.

    dense_steps: at how many of this process's steps a hook has asked for dense gradients.

    batch is there from `before_step` on. logits (B×classes, of the type in which the network made
    them, detached) and loss (mean cross-entropy over this process's share, a tensor on the device,
    detached) are there from `after_backward` on. Each stays until the next step has its own.
    """

    model: nn.Module
    optimizer: SGD
    masks: Masks
    compute: Compute
    workers: Workers
    steps_per_epoch: int
    curve: list[Epoch] = field(default_factory=list)
    epoch: int = 0
    step: int = 0
    lr: float = 0.0
    dense_steps: int = 0
    batch: Batch = field(init=False)
    logits: Tensor = field(init=False)
    loss: Tensor = field(init=False)
    _dense_step: int | None = field(init=False, default=None)

    def dense_gradients(self) -> dict[str, Tensor]:
        """The gradients of the masked parameters, by name, those outside the masks included.

        They are there in `after_backward` alone, and cost what sparse training means to save: the
        steps at which they are asked for count as dense (`dense_steps`). Not to be written into.
        """
        if self._dense_step != self.step:
            self._dense_step = self.step
            self.dense_steps += 1
        gradients: dict[str, Tensor] = {}
        for name in self.masks:
            parameter = self.model.get_parameter(name)
            gradient = parameter.grad
            gradients[name] = torch.zeros_like(parameter) if gradient is None else gradient
        return gradients


class Hook:
    """Does nothing at any point; a subclass overrides some.

    Among several processes every one of them calls its own hook, which must come to the same
    masks and weights in each: from the network, its gradients, and a seed, or from what
    `progress.workers.sum` adds up.
    """

    @property
    def name(self) -> str:
        """Under which the state is kept; differs from that of every other hook of the run."""
        return type(self).__name__

    def before_step(self, progress: Progress) -> None:
        """The batch is there; the network has not seen it."""

    def after_backward(self, progress: Progress) -> None:
        """Gradients are there. Of those outside the masks (see `Progress.dense_gradients`) the
        optimiser learns nothing; the masks that count are those that the last hook leaves."""

    def after_step(self, progress: Progress) -> None:
        """The optimiser has moved the weights that the masks keep."""

    def after_epoch(self, progress: Progress) -> None:
        """The network has been validated and the curve has the epoch's row. What is changed here
        belongs to the next epoch, or to the run's result; the masks are applied to it."""

    def state_dict(self) -> dict[str, Any]:
        """What a run must keep to go on: tensors, and values that JSON can hold, by name."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; tensors come on the compute device, contiguous."""
