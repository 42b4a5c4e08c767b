"""What a sparse training costs, counted from the masks as they were at each step.

Sup-tickets, table 3, counts as RigL does (Evci et al. 2020, section 3, "Sparse training FLOPs"): a
step costs a forward pass, and as much again for the gradients of the inputs and for those of the
weights; where the latter are dense, they cost what they cost a dense network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from lp_core.analysis.flops import flops, layer_uses
from lp_core.training.hooks import Hook, Progress


class TrainingCost(Hook):
    """Counts what the masks multiply in each step.

    steps, dense_steps: of the training; those of them that asked for dense gradients. kept: for
    each masked parameter, by name, how many of its weights were kept, summed over the steps.
    kept_when_dense: the same over the dense steps alone.
    """

    def __init__(self) -> None:
        self.steps = self.dense_steps = 0
        self.kept: dict[str, int] = {}
        self.kept_when_dense: dict[str, int] = {}

    def before_step(self, progress: Progress) -> None:
        # What the network is run with; a hook may change it for the optimiser's step.
        self._kept, self._dense_before = progress.masks.kept, progress.dense_steps

    def after_step(self, progress: Progress) -> None:
        self.steps += 1
        _add(self.kept, self._kept)
        if progress.dense_steps > self._dense_before:
            self.dense_steps += 1
            _add(self.kept_when_dense, self._kept)

    def flops(self, model: nn.Module, input_shape: Sequence[int], batch_size: int) -> int:
        """Floating-point operations of the training: 2 for each multiply-add.

        model: the network that was trained. input_shape: (C, H, W) of an image. batch_size: images
        of a step, over all processes together. Convolutions and linear layers count, one without a
        mask as a dense one, and what else is multiplied. Validation and averaging count nothing,
        nor does what came before the first step, such as SNIP's one batch.
        """
        each = layer_uses(model, input_shape)
        total = 2 * 3 * self.steps * each.others
        for name, dense in each.weights.items():
            size = model.get_parameter(name).numel()
            kept = self.kept.get(name, self.steps * size)
            kept_when_dense = self.kept_when_dense.get(name, self.dense_steps * size)
            # Dense gradients of the weights, in place of those of the kept ones.
            multiplied = 3 * kept + self.dense_steps * size - kept_when_dense
            total += 2 * dense * multiplied // size
        return total * batch_size

    def dense_flops(self, model: nn.Module, input_shape: Sequence[int], batch_size: int) -> int:
        """The same for a dense network that was trained as many steps."""
        return 3 * self.steps * flops(model, input_shape) * batch_size

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "dense_steps": self.dense_steps,
            "kept": self.kept,
            "kept_when_dense": self.kept_when_dense,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.dense_steps = state["steps"], state["dense_steps"]
        self.kept, self.kept_when_dense = state["kept"], state["kept_when_dense"]


def _add(sums: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        sums[name] = sums.get(name, 0) + count
