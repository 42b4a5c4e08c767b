"""A training run of a fraction of a second, whole in every other respect.

`python -m tests.lp_core.tiny STATE TICKET` is the run that a test kills and starts again.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.memory import MemoryLoader
from lp_core.data.store import Split
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.seeds import noise_seed
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.tickets import Ticket
from lp_core.training.curve import Epoch
from lp_core.training.distributed import Workers
from lp_core.training.evaluation import Scores, evaluate
from lp_core.training.hooks import Hook
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 4
TRAINING_IMAGES = 48


def images(count: int, seed: int) -> Split:
    """Noise of 8×8 pixels, each class a little brighter than the one before, so that it learns."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    pixels = torch.randint(0, 100, (count, 8, 8, 3), dtype=torch.uint8, generator=generator)
    pixels += (labels * 40).to(torch.uint8)[:, None, None, None]
    return Split(pixels.permute(0, 3, 1, 2), labels)


def plain_network() -> nn.Sequential:
    """Without batch norm: every image counts alike, whoever shares its batch."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
    )


def residual_network() -> nn.Module:
    return build("resnet8", CLASSES, 3, 8, seed=0)


@dataclass
class TinyRun:
    """Its settings. After `train`, `model` is what came out, and `trainer` what made it."""

    epochs: int = 3
    noise: int = 0
    lr: float = 0.1
    compute: ComputeSpec = field(
        default_factory=lambda: ComputeSpec("cpu", "fp32", channels_last=False, threads=1)
    )
    network: Callable[[], nn.Module] = residual_network
    density: float = 0.5
    masks: Callable[[nn.Module], dict[str, Tensor]] | None = None  # others than by magnitude
    stop: int | None = None  # before the schedule's end
    state: Path | None = None
    start: Path | None = None
    rate: Callable[[int], float] | None = None
    hooks: Callable[[], list[Hook]] = list  # made anew for each run
    workers: Workers | None = None
    on_epoch: Callable[[Epoch], None] = lambda _: None

    def __post_init__(self) -> None:
        self.model = self.network()
        if self.masks:
            self.mask = self.masks(self.model)
            return
        weights = {n: self.model.get_parameter(n) for n in prunable(self.model)}
        total = sum(weight.numel() for weight in weights.values())
        self.mask = magnitude_mask(weights, round(self.density * total))

    def train(self) -> list[Epoch]:
        compute = Compute(self.compute)
        workers = self.workers or Workers()
        mean, std, augment = [0.4] * 3, [0.2] * 3, AugmentSpec(crop=1, flip=True)
        loader = MemoryLoader(
            images(TRAINING_IMAGES, 1), mean, std, 16, augment, "cpu", workers.rank, workers.world
        )
        held_out = MemoryLoader(images(24, 2), mean, std, 24, AugmentSpec(0, False), "cpu")

        def validate(model: nn.Module) -> Scores:
            return evaluate(model, [batch[:2] for batch in held_out.epoch(0)], compute)

        drops = [self.epochs - 1] if self.epochs > 1 else []
        schedule = Schedule(lr=self.lr, kind="step", drops=drops, warmup=0.5)
        self.trainer = Trainer(
            self.model,
            loader,
            TrainSpec(self.epochs, 16, 0.9, 5e-4, schedule, augment),
            compute,
            noise=lambda epoch: noise_seed(self.noise, 1, epoch),
            validate=validate,
            lr=self.rate,
            hooks=self.hooks(),
            workers=workers,
            on_epoch=self.on_epoch,
        )
        epochs = range(self.stop or self.epochs)
        return self.trainer.train(self.mask, epochs, state=self.state, start=self.start)

    def ticket(self) -> Ticket:
        return Ticket.of(self.model, self.mask, {"noise": self.noise})

    def again(self, **changes: Any) -> "TinyRun":
        """The same settings with a fresh network."""
        return replace(self, **changes)


def without_time(curve: list[Epoch]) -> list[dict[str, float]]:
    return [{k: v for k, v in asdict(epoch).items() if k != "seconds"} for epoch in curve]


LONG: dict[str, Any] = {
    "epochs": 15,
    "compute": ComputeSpec("cpu", "bf16", channels_last=True, threads=1),
}


def killable(state: Path, ticket: Path) -> None:
    """A line an epoch, then the ticket; slow enough to be killed on the way."""

    def tell(epoch: Epoch) -> None:
        print("epoch", epoch.epoch, flush=True)
        time.sleep(0.03)

    run = TinyRun(**LONG, state=state, on_epoch=tell)
    run.train()
    run.ticket().save(ticket)


def shared(folder: Path, workers: Workers) -> None:
    """Leaves each process's curve and weights, of a run at one go and of one that was resumed."""
    run = TinyRun(network=plain_network, workers=workers, state=folder / "state")
    curve = without_time(run.train())
    _leave(folder / f"whole-{workers.rank}.json", curve, dict(run.model.named_parameters()))
    run.again(state=folder / "resumed-state", stop=2).train()
    last = run.again(state=folder / "resumed-state")
    curve = without_time(last.train())
    _leave(folder / f"resumed-{workers.rank}.json", curve, dict(last.model.named_parameters()))


def _leave(path: Path, curve: list[dict[str, float]], weights: dict[str, Tensor]) -> None:
    path.write_text(json.dumps([curve, {n: w.tolist() for n, w in weights.items()}]))


if __name__ == "__main__":
    killable(*[Path(argument) for argument in sys.argv[1:]])
