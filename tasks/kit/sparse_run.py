"""What the stages `sparse` and `ending` do alike: one sparse training, up to the epoch at which its
endings part, and from there on."""

from pathlib import Path
from typing import Any

from torch import Tensor

from lp_core.errors import DamagedError, InputError
from lp_core.faces import module_of
from lp_core.sparsity.method_spec import METHODS
from lp_core.superposing.costs import TrainingCost
from lp_core.training.hooks import Hook
from lp_core.training.resume import StateError, read_hooks
from tasks.kit.dense import prunable_weights
from tasks.kit.rows import Row
from tasks.kit.sparse_methods import read_method
from tasks.kit.training import Finished, Label, StageTrainer

_TRAINING = "Training"  # the label that says of which training a prefix is


class SparseRun:
    """One method's training of a variant and seed.

    start: the epoch at which endings part. keep: prunable weights of the trained network, of
    `weights`. code: modules that run beside those of the stage. whose: what it is called by.
    """

    def __init__(self, stage: str, variant: str, seed: int, method: str) -> None:
        """stage: as DVC names it. method: a name under `training`."""
        self.trainer, self.name = StageTrainer(stage, variant, seed), method
        params = self.trainer.params
        self.method = read_method(params, method)
        recipe = params.section(f"sup_tickets.training.{method}", dict[str, Any])["recipe"]
        self.code = [module_of(METHODS, recipe)]
        self.start = params.section("sup_tickets.start", int)
        self.prunable = prunable_weights(self.trainer, "sup_tickets.prunable")
        sizes = [self.trainer.model.get_parameter(weight).numel() for weight in self.prunable]
        self.weights, self.keep = sum(sizes), round(self.method.density * sum(sizes))
        if not self.keep:
            raise InputError(
                f"sup_tickets.training.{method}.density is {self.method.density}; of "
                f"{self.weights} weights it leaves none; give more"
            )
        self.steps_per_epoch = len(self.trainer.loader)
        self.cost = TrainingCost()
        self.whose: dict[str, str | int] = {"variant": variant, "seed": seed, "method": method}

    def initial_masks(self) -> dict[str, Tensor]:
        """The masks that the training begins with."""
        trainer = self.trainer
        try:
            return self.method.initial_masks(
                trainer.model,
                self.prunable,
                trainer.first_batch,
                trainer.seeds.noise,
                trainer.compute,
            )
        except InputError as error:
            raise InputError(f"sup_tickets.training.{self.name}.{error}") from error

    def hooks(self, stop: int | None = None) -> list[Hook]:
        """What happens beside the steps. stop: the step from which on the method's own updates of
        the masks are over; None for its own last one."""
        steps = self.trainer.spec.epochs * self.steps_per_epoch
        seed = self.trainer.seeds.noise
        try:
            updates = self.method.updates(steps, self.steps_per_epoch, seed, stop)
        except InputError as error:
            raise InputError(f"sup_tickets.training.{self.name}.{error}") from error
        return [Label(_TRAINING, self.whose), self.cost, *([updates] if updates else [])]

    def require_own(self, prefix: Path) -> None:
        """Raises DamagedError where `prefix` is not the state that this training left."""
        try:
            found = read_hooks(prefix).get(_TRAINING, {})
        except StateError as error:
            raise DamagedError(error.path, error.found) from error
        if found != self.whose:
            told = ", ".join(f"{name} {value}" for name, value in found.items()) or "of no training"
            raise DamagedError(prefix, f"another state lies in its place ({told})")

    @property
    def meta(self) -> dict[str, Any]:
        """What the tickets of this training say of where they come from."""
        return self.whose | self.trainer.meta

    def curve_rows(self, finished: Finished, ending: str | None) -> list[Row]:
        """Rows of the table `curves`."""
        rows = self.trainer.curve_rows(finished, method=self.name, ending=ending)
        return [row | {"density": self._density_after(row["epoch"])} for row in rows]

    def costs(self) -> dict[str, int | float]:
        """Floating-point operations of the training so far, and as a fraction of a dense one's."""
        trainer = self.trainer
        arguments = (trainer.model, trainer.bench.dataset.input_shape, trainer.spec.batch_size)
        spent, dense = self.cost.flops(*arguments), self.cost.dense_flops(*arguments)
        return {"train_flops": spent, "train_fraction": spent / dense}

    def _density_after(self, epoch: int) -> float:
        last = (epoch + 1) * self.steps_per_epoch - 1
        density = self.method.density_at(last, self.steps_per_epoch)
        return round(density * self.weights) / self.weights
