"""What the stages `pretrain` and `imp` do alike: one training run, resumable, and its scores."""

import hashlib
import os
import shlex
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from tqdm import tqdm

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.loading import EVAL_BATCH, Batch, eval_batches, train_loader
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.models.spec import ModelSpec
from lp_core.seeds import noise_seed
from lp_core.training.distributed import Workers
from lp_core.training.evaluation import Scores, evaluate
from lp_core.training.loop import Loader, train
from lp_core.training.resume import Epoch
from lp_core.training.spec import TrainSpec
from tasks.kit import paths
from tasks.kit import resume as resuming
from tasks.kit.fingerprint import fingerprint
from tasks.kit.params import Params


@dataclass(frozen=True)
class Finished:
    """A run that is over: its curve, the wall time of all its epochs in seconds, its state."""

    curve: list[Epoch]
    seconds: float
    state: Path


class Watched:
    """A loader with a progress bar over each epoch, where there is a terminal to show it on."""

    def __init__(self, loader: Loader, label: str) -> None:
        self.loader, self.label = loader, label

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, seed: int) -> Iterator[Batch]:
        """The loader's own batches."""
        batches = self.loader.epoch(seed)
        yield from tqdm(batches, self.label, len(self), leave=False, disable=None, unit="batch")


class Run:
    """One stage's training: its settings, data, network and place among the processes."""

    def __init__(self, variant: str, seed: int, ticket: int | None) -> None:
        """ticket: None for the run to the rewind point. The seed is init and noise in one."""
        self.params = Params(variant)
        self.train = self.params.section("train", TrainSpec)
        self.model_spec = self.params.section("model", ModelSpec)
        self.dataset_name = self.params.section("dataset", str)
        self.variant, self.seed, self.ticket = variant, seed, ticket
        self.stage = f"imp@{variant}-{seed}-round{ticket}"
        if ticket is None:
            self.stage = f"pretrain@{variant}-{seed}"
        self.workers = Workers()
        spec = self.params.section("compute", ComputeSpec)
        self.compute = Compute(spec, self.workers.local_rank)
        self.dataset = Dataset.load(paths.dataset(self.dataset_name))
        self.model = build(
            self.model_spec.name,
            len(self.dataset.classes),
            self.dataset.channels,
            self.dataset.size,
            self.model_spec.stem,
            seed=seed,
        )

    def __call__(self, mask: dict[str, Tensor], epochs: range, inputs: list[Path]) -> Finished:
        """Train `self.model` in place, from where a killed run of the same key left off."""
        settings = [self.train, self.model_spec, self.compute.spec, self.seed, self.stage]
        key = fingerprint(
            [*settings, list(epochs), _outline(mask)],
            [paths.dataset(self.dataset_name), *inputs],
            self.compute,
        )
        state = resuming.state(self.stage, key)
        if self.workers.first:
            resuming.forget(self.variant, self.seed, self.stage)
            if state.exists():
                print(f"{self.stage}: going on from {state}", flush=True)
        loader: Loader = train_loader(
            self.dataset,
            self.train.batch_size,
            self.train.augment,
            self.compute.device,
            rank=self.workers.rank,
            world=self.workers.world,
        )
        if self.workers.first:
            loader = Watched(loader, self.stage)
        curve = train(
            self.model,
            mask,
            loader,
            spec=self.train,
            epochs=epochs,
            seed=lambda epoch: noise_seed(self.seed, self.ticket, epoch),
            compute=self.compute,
            validate=lambda model: self.scores(model, "val"),
            state=state,
            workers=self.workers,
            on_epoch=self._tell,
        )
        return Finished(curve, sum(epoch.seconds for epoch in curve), state)

    def scores(self, model: nn.Module, split: str) -> Scores:
        """Of the network as it stands, unaugmented."""
        batches = eval_batches(self.dataset, split, EVAL_BATCH, self.compute.device)
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

    def _tell(self, epoch: Epoch) -> None:
        print(
            f"{self.stage}: epoch {epoch.epoch + 1}/{self.train.epochs}"
            f"  loss {epoch.loss:.3f}  train {epoch.accuracy:.1%}  val {epoch.val_accuracy:.1%}"
            f"  {epoch.seconds:.1f} s",
            flush=True,
        )


def spread(main: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """Make a stage start itself under torchrun where `train.devices` is more than one."""

    def launch(arguments: Namespace) -> None:
        devices = Params(arguments.variant).section("train", TrainSpec).devices
        if devices == 1 or "RANK" in os.environ:
            return main(arguments)
        module = sys.modules[main.__module__].__spec__
        assert module is not None, "stages are started as `python -m tasks.<stage>`"
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(devices), "-m", module.name, *sys.argv[1:]),
        ]
        print(shlex.join(command), flush=True)
        sys.exit(subprocess.run(command, check=False).returncode)

    launch.__module__ = main.__module__
    return launch


def _outline(mask: dict[str, Tensor]) -> str:
    # Neither the inputs nor the other settings tell what was pruned: `imp.fraction` does.
    digest = hashlib.sha256()
    for name, kept in mask.items():
        digest.update(name.encode() + np.packbits(kept.cpu().numpy()).tobytes())
    return digest.hexdigest()
