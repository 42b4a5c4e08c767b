"""What all stages that train do alike: one training run, resumable, and its scores."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from lp_core.data.epoch import Batch
from lp_core.data.loading import EVAL_BATCH, eval_batches, train_loader
from lp_core.data.store import DESCRIPTION
from lp_core.errors import InputError
from lp_core.seeds import noise_seed
from lp_core.training.curve import Epoch
from lp_core.training.distributed import Workers
from lp_core.training.evaluation import Scores, evaluate
from lp_core.training.hooks import Hook
from lp_core.training.resume import StateError, read_hooks
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Loader, Trainer
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.code import fingerprint
from tasks.kit.networks import code_of, files_of
from tasks.kit.params import Params
from tasks.kit.run_key import mask_digest, run_key

_RUN = "Run"  # the label that says of which run an unfinished state is


@dataclass(frozen=True)
class Finished:
    """A run that is over: the curve of its epochs, their wall time in seconds, its state."""

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


class Label(Hook):
    """Does nothing; keeps in a run's state whose it is, lest another's lie in its place."""

    def __init__(self, name: str, whose: Mapping[str, str | int]) -> None:
        """name: under which it is kept."""
        self._name, self._whose = name, dict(whose)

    @property
    def name(self) -> str:
        return self._name

    def state_dict(self) -> dict[str, Any]:
        return self._whose


class StageTrainer:
    """One stage's training: its settings, network, bench, and the processes that share it."""

    def __init__(
        self,
        stage: str,
        variant: str,
        seed: int,
        ticket: int | None = None,
        *,
        noise: int | None = None,
    ) -> None:
        """stage: as DVC names it. seed: the entry of `seeds`. ticket: whose noise the run sees;
        None for one of no ticket's. noise: the seed of a fork, in place of train.noise."""
        self.params = Params(variant)
        self.spec = self.params.section("train", TrainSpec)
        self.seeds = self.spec.seeds(seed)
        if noise is not None:
            self.seeds = self.seeds._replace(noise=noise)
        self.stage, self.ticket = stage, ticket
        self.workers = Workers()
        self.bench = Bench(self.params, self.seeds.init, self.workers.local_rank)
        self.model, self.compute = self.bench.model, self.bench.compute
        self.subset: NDArray[np.int64] | None = None
        self.loader = self._loader()

    @property
    def meta(self) -> dict[str, Any]:
        """What each ticket of a training says of where it comes from, and of its network."""
        return {
            "dataset": self.bench.dataset.name,
            "model": self.bench.model_spec.name,
            "network": self.bench.architecture.meta,
            "init_seed": self.seeds.init,
            "noise_seed": self.seeds.noise,
            "precision": self.compute.precision,
        }

    def train_on(self, subset: NDArray[np.int64]) -> None:
        """From now on, train on these images of the training split alone (int64 indices).

        A batch that is larger than the part is cut down to it. Raises InputError where that leaves
        no image for each of `train.devices`.
        """
        devices = self.spec.devices
        largest = len(subset) // devices * devices
        if not largest:
            raise InputError(
                f"train.devices is {devices}, but training is on {len(subset)} images; take more"
            )
        self.spec = replace(self.spec, batch_size=min(self.spec.batch_size, largest))
        self.subset = subset
        self.loader = self._loader()

    def state(
        self,
        masks: dict[str, Tensor],
        epochs: range,
        inputs: Sequence[Path] = (),
        *,
        settings: Sequence[Any] = (),
        code: Sequence[str] = (),
    ) -> Path:
        """Where the state of a run lies while it is not finished: under a hash of everything that
        shapes the run.

        inputs: files beside the data set, such as the parent ticket. settings: beside those of the
        sections train, model and compute. code: modules beside the stage's own and the network's.
        Neither inputs nor settings tell what was pruned: the masks do.
        """
        model = self.bench.model_spec
        code = [f"tasks.{self.stage.partition('@')[0]}", *code_of(model), *code]
        ran = fingerprint(code, files=files_of(model))
        every = [self.spec, model, self.compute.spec, self.seeds, self.stage, ran]
        if self.subset is not None:
            every.append(hashlib.sha256(self.subset.tobytes()).hexdigest())
        key = run_key(
            [*every, list(epochs), mask_digest(masks), *settings],
            # It has a checksum of each array, with which the arrays have been compared.
            [paths.dataset(self.bench.dataset.name) / DESCRIPTION, *inputs],
            self.compute,
        )
        return resume.state(self.stage, key)

    def train(
        self,
        masks: dict[str, Tensor],
        epochs: range,
        state: Path,
        *,
        hooks: Sequence[Hook] = (),
        lr: Callable[[int], float] | None = None,
        start: Path | None = None,
    ) -> Finished:
        """Train `self.model` in place, from where a killed run of the same state left off.

        hooks, lr, start: as the Trainer has them.
        """
        if self.workers.first:
            resume.forget_old()
            if state.exists() and _is_of_another(state):
                print(f"{state}: the state of another run; the run starts over", flush=True)
                resume.drop(state)
            elif state.exists():
                print(f"{self.stage}: going on from {state}", flush=True)
        self.workers.wait()
        self.trainer = Trainer(
            self.model,
            self.loader,
            self.spec,
            self.compute,
            noise=lambda epoch: noise_seed(self.seeds.noise, self.ticket, epoch),
            validate=self.validate,
            lr=lr,
            hooks=[_label(state), *hooks],
            workers=self.workers,
            on_epoch=self._print_epoch,
        )
        curve = self.trainer.train(masks, epochs, state=state, start=start)
        curve = [epoch for epoch in curve if epoch.epoch in epochs]
        return Finished(curve, sum(epoch.seconds for epoch in curve), state)

    def first_batch(self) -> Batch:
        """What a run from epoch 0 begins with; whole, however many processes share the run."""
        data, device = self.bench.dataset, self.compute.device
        spec = self.spec
        loader = train_loader(data, spec.batch_size, spec.augment, device, subset=self.subset)
        return next(loader.epoch(noise_seed(self.seeds.noise, self.ticket, 0)))

    @property
    def curve(self) -> list[Epoch]:
        """Of the whole training, from before `start` on."""
        return self.trainer.progress.curve

    @property
    def masks(self) -> dict[str, Tensor]:
        """As the training left them."""
        return dict(self.trainer.progress.masks)

    def save(self, path: Path) -> None:
        """Keep the state after the last epoch for others to start from: equal of equal runs."""
        curve = self.trainer.progress.curve
        curve[:] = [replace(epoch, seconds=0.0) for epoch in curve]
        # A run is named after its code, too, which may change where the result does not.
        self.trainer.hooks = [hook for hook in self.trainer.hooks if hook.name != _RUN]
        self.trainer.save(path)

    def validate(self, model: nn.Module) -> Scores:
        """Scores of the network as it stands, on the held-out split without augmentation."""
        batches = eval_batches(self.bench.dataset, "val", EVAL_BATCH, self.compute.device)
        return evaluate(model, batches, self.compute)

    def curve_rows(self, finished: Finished, **whose: Any) -> list[dict[str, Any]]:
        """Rows of the table `curves`. whose: columns that are the same in all of them."""
        rows = []
        for epoch in finished.curve:
            row = whose | {"epoch": epoch.epoch, "lr": epoch.lr}
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
            subset=self.subset,
        )
        return WithProgressBar(loader, self.stage) if self.workers.first else loader

    def _print_epoch(self, epoch: Epoch) -> None:
        print(
            f"{self.stage}: epoch {epoch.epoch + 1}/{self.spec.epochs}"
            f"  loss {epoch.loss:.3f}  train {epoch.accuracy:.1%}  val {epoch.val_accuracy:.1%}"
            f"  {epoch.seconds:.1f} s",
            flush=True,
        )


def _label(state: Path) -> Label:
    """Of the run whose state the file is: it is named after the run."""
    return Label(_RUN, {"run": state.stem})


def _is_of_another(state: Path) -> bool:
    try:
        return read_hooks(state).get(_RUN) != _label(state).state_dict()
    except StateError:
        return False  # the training finds out, and says so
