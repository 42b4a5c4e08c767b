"""What the stages `pretrain` and `imp` do alike: one training run, resumable, and its scores."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from tqdm import tqdm

from lp_core.data.epoch import Batch
from lp_core.data.loading import EVAL_BATCH, eval_batches, train_loader
from lp_core.data.store import DESCRIPTION
from lp_core.faces import module_of
from lp_core.models.spec import NETWORKS
from lp_core.seeds import noise_seed
from lp_core.training.curve import Epoch
from lp_core.training.distributed import Workers
from lp_core.training.evaluation import Scores, evaluate
from lp_core.training.hooks import Hook
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Loader, Trainer
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.code import fingerprint
from tasks.kit.params import Params


@dataclass(frozen=True)
class Finished:
    """A run that is over: its curve, the wall time of all its epochs in seconds, its state."""

    curve: list[Epoch]
    seconds: float
    state: Path


class WithProgressBar:
    """A loader with a bar over each epoch, where there is a terminal to show it on."""

    def __init__(self, loader: Loader, label: str) -> None:
        self.loader, self.label = loader, label

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, seed: int) -> Iterator[Batch]:
        """The loader's own batches."""
        batches = self.loader.epoch(seed)
        yield from tqdm(batches, self.label, len(self), leave=False, disable=None, unit="batch")


class StageTrainer:
    """One stage's training: its settings, bench, and the processes that share it."""

    def __init__(self, variant: str, seed: int, ticket: int | None) -> None:
        """ticket: None for the run to the rewind point. seed: the entry of `seeds`."""
        self.params = Params(variant)
        self.spec = self.params.section("train", TrainSpec)
        self.seeds = self.spec.seeds(seed)
        self.ticket = ticket
        self.stage = resume.pretrain_stage(variant, seed)
        if ticket is not None:
            self.stage = resume.imp_stage(variant, seed, ticket)
        self.workers = Workers()
        self.bench = Bench(self.params, self.seeds.init, self.workers.local_rank)
        self.model, self.compute = self.bench.model, self.bench.compute

    def train(
        self,
        masks: dict[str, Tensor],
        epochs: range,
        inputs: list[Path],
        hooks: Sequence[Hook] = (),
    ) -> Finished:
        """Train `self.model` in place, from where a killed run of the same key left off.

        inputs: files beside the data set that shape the run, such as the parent ticket.
        """
        state = resume.state(self.stage, self.key(masks, epochs, inputs, hooks))
        if self.workers.first:
            resume.forget_old()
            if state.exists():
                print(f"{self.stage}: going on from {state}", flush=True)
        trainer = Trainer(
            self.model,
            self._loader(),
            self.spec,
            self.compute,
            noise=lambda epoch: noise_seed(self.seeds.noise, self.ticket, epoch),
            validate=self._validate,
            hooks=hooks,
            workers=self.workers,
            on_epoch=self._print_epoch,
        )
        curve = trainer.train(masks, epochs, state=state)
        return Finished(curve, sum(epoch.seconds for epoch in curve), state)

    def _validate(self, model: nn.Module) -> Scores:
        """Scores of the network as it stands, on the held-out split without augmentation."""
        batches = eval_batches(self.bench.dataset, "val", EVAL_BATCH, self.compute.device)
        return evaluate(model, batches, self.compute)

    def curve_rows(self, finished: Finished, density: float) -> list[dict[str, Any]]:
        """Rows of the table `curves`."""
        rows = []
        for epoch in finished.curve:
            row = {"ticket": self.ticket, "density": density, "epoch": epoch.epoch, "lr": epoch.lr}
            rows.append(row | {"split": "train", "accuracy": epoch.accuracy, "loss": epoch.loss})
            rows.append(
                row | {"split": "val", "accuracy": epoch.val_accuracy, "loss": epoch.val_loss}
            )
        return rows

    def _loader(self) -> Loader:
        loader: Loader = train_loader(
            self.bench.dataset,
            self.spec.batch_size,
            self.spec.augment,
            self.compute.device,
            rank=self.workers.rank,
            world=self.workers.world,
        )
        return WithProgressBar(loader, self.stage) if self.workers.first else loader

    def key(
        self,
        masks: dict[str, Tensor],
        epochs: range,
        inputs: list[Path],
        hooks: Sequence[Hook] = (),
    ) -> str:
        """Hash of everything that shapes the run, 16 hex digits: the name of its state.

        Neither inputs nor settings tell what was pruned: the masks do.
        """
        model = self.bench.model_spec
        code = [f"tasks.{self.stage.partition('@')[0]}", module_of(NETWORKS, model.name)]
        settings = [self.spec, model, self.compute.spec, self.seeds, self.stage, fingerprint(code)]
        return resume.run_key(
            [*settings, list(epochs), mask_digest(masks), [hook.name for hook in hooks]],
            # It has a checksum of each array, with which the arrays have been compared.
            [paths.dataset(self.bench.dataset.name) / DESCRIPTION, *inputs],
            self.compute,
        )

    def _print_epoch(self, epoch: Epoch) -> None:
        print(
            f"{self.stage}: epoch {epoch.epoch + 1}/{self.spec.epochs}"
            f"  loss {epoch.loss:.3f}  train {epoch.accuracy:.1%}  val {epoch.val_accuracy:.1%}"
            f"  {epoch.seconds:.1f} s",
            flush=True,
        )


def mask_digest(masks: dict[str, Tensor]) -> str:
    """SHA-256 of the masks and their names, hexadecimal."""
    digest = hashlib.sha256()
    for name, kept in masks.items():
        digest.update(name.encode() + np.packbits(kept.cpu().numpy()).tobytes())
    return digest.hexdigest()
