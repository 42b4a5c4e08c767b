"""The one training loop: SGD on a masked network from one epoch to another (Algorithm 1, line 4).

What else happens in a run is a hook's matter, and the learning rate is any function of the step.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.epoch import Batch
from lp_core.training.curve import Epoch
from lp_core.training.distributed import Workers
from lp_core.training.evaluation import Scores
from lp_core.training.hooks import Hook, Progress
from lp_core.training.masks import Masks
from lp_core.training.resume import StateError, load_state, save_state
from lp_core.training.schedules import by_step
from lp_core.training.sgd import SGD
from lp_core.training.spec import TrainSpec


class Loader(Protocol):
    """Augmented batches of one epoch, fixed by its seed, on the compute device."""

    def __len__(self) -> int: ...

    def epoch(self, seed: int) -> Iterator[Batch]: ...


class Trainer:
    """Trains a network in place: `trainer = Trainer(…); curve = trainer.train(masks, epochs)`."""

    def __init__(
        self,
        model: nn.Module,
        loader: Loader,
        spec: TrainSpec,
        compute: Compute,
        *,
        noise: Callable[[int], int],
        validate: Callable[[nn.Module], Scores],
        lr: Callable[[int], float] | None = None,
        hooks: Sequence[Hook] = (),
        workers: Workers | None = None,
        on_epoch: Callable[[Epoch], None] = lambda _: None,
    ) -> None:
        """
        noise: seed of an epoch's order and augmentation. validate: scores on held-out images,
        called after each epoch by the first process, whose batch-norm statistics are those that
        are kept; the curve of the others has NaN there. lr: the rate of a step, which counts from
        the schedule's beginning, from 0; None for the schedule in `spec`. on_epoch: called by the
        first process with each new row of the curve.
        """
        self.model, self.loader, self.spec, self.compute = model, loader, spec, compute
        self.noise, self.validate, self.hooks, self.on_epoch = noise, validate, hooks, on_epoch
        self.lr = lr or by_step(spec.schedule, spec.epochs, len(loader))
        self.workers = workers or Workers()
        if len({hook.name for hook in hooks}) < len(hooks):
            raise ValueError(f"hooks need names of their own: {[hook.name for hook in hooks]}")

    def train(
        self,
        masks: Mapping[str, Tensor],
        epochs: range,
        *,
        state: Path | None = None,
        start: Path | None = None,
    ) -> list[Epoch]:
        """Train for those of `epochs` that are not behind it; returns the curve, a row for each
        finished epoch. `self.progress.masks` then has the masks, if a hook changed them.

        masks: weights outside are zero before the first step and after every step (in a run that
        diverges: after every epoch). epochs: of the schedule; a ticket starts at the rewind point.
        start: state of another run to start from (`save`): its weights, momentum, masks (instead
        of those given), curve, and what the same hooks kept. state: where to keep this run's state
        after each epoch, and to go on from if it is there. Either way the result is bit for bit
        that of an undisturbed run on the same machine. A damaged `state` is passed over, with a
        printed line; one at `start` raises StateError or MissingInputError.

        A run whose loss is no longer finite ends with that epoch: more of them cannot mend it.
        That is a result to be recorded, not an error.
        """
        state = self._prepare(masks, state, start)
        progress, curve = self.progress, self.progress.curve
        for epoch in epochs:
            if curve and epoch <= curve[-1].epoch:
                continue
            if curve and not math.isfinite(curve[-1].loss):
                break
            began = time.perf_counter()
            with self._random_layers(epoch):
                loss, accuracy = self._pass(epoch)
            progress.masks.clear()
            first = self.workers.first
            held_out = self.validate(self.model) if first else Scores(math.nan, math.nan, math.nan)
            scores = (accuracy, loss, held_out.accuracy, held_out.nll)
            curve.append(Epoch(epoch, progress.lr, *scores, time.perf_counter() - began))
            for hook in self.hooks:
                hook.after_epoch(progress)
                progress.masks.clear()
            curve[-1] = replace(curve[-1], seconds=time.perf_counter() - began)
            if state:
                self.save(state)
            if first:
                self.on_epoch(curve[-1])
            self.workers.wait()
        return curve

    def save(self, path: Path) -> None:
        """Keep the state after the last epoch for another run to start from."""
        if self.workers.first:
            save_state(path, self.progress, self.hooks)

    def _prepare(
        self, masks: Mapping[str, Tensor], state: Path | None, start: Path | None
    ) -> Path | None:
        """Make the run ready, from a state if there is one. Returns where to keep its own."""
        model = self.compute.to_device(self.model)
        optimizer = SGD(model.parameters(), self.spec.momentum, self.spec.weight_decay)
        self.progress = Progress(
            model,
            optimizer,
            Masks(model, optimizer, masks),
            self.compute,
            self.workers,
            steps_per_epoch=len(self.loader),
        )
        if state and state.exists():
            try:
                load_state(state, self.progress, self.hooks)
                return state
            except StateError as error:
                if self.workers.first:
                    print(f"{error}; the run starts over", flush=True)
                if state.is_dir():
                    state = None  # nothing can be kept there
        if start:
            load_state(start, self.progress, self.hooks)
        return state

    @contextmanager
    def _random_layers(self, epoch: int) -> Iterator[None]:
        """While it lasts, layers that draw at random, such as dropout, draw from the epoch's seed.

        So a run that goes on draws what an undisturbed one draws. The caller's state comes back.
        """
        device = self.compute.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.noise(epoch))
            yield

    def _pass(self, epoch: int) -> tuple[float, float]:
        """One pass over the training images: mean loss and accuracy, as they were trained on."""
        progress, hooks, device = self.progress, self.hooks, self.compute.device
        optimizer, masks = progress.optimizer, progress.masks
        # Anew for each epoch: after its first step it sums gradients in another order, and a run
        # that goes on in the middle has to sum as the undisturbed one does.
        network = self.workers.wrap(self.model, device)
        self.model.train()
        total = torch.zeros(2, dtype=torch.float64, device=device)
        images_seen = 0
        progress.epoch = epoch
        batches = self.loader.epoch(self.noise(epoch))
        for step, batch in enumerate(batches, start=epoch * len(self.loader)):
            progress.step, progress.batch, progress.lr = step, batch, self.lr(step)
            for hook in hooks:
                hook.before_step(progress)
                masks.apply()
            with self.compute.autocast():
                logits = network(batch.images)
            loss = nn.functional.cross_entropy(logits.float(), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            progress.logits, progress.loss = logits.detach(), loss.detach()
            for hook in hooks:
                hook.after_backward(progress)
                masks.apply()
            masks.apply_to_gradients()
            optimizer.step(progress.lr)
            for hook in hooks:
                hook.after_step(progress)
                masks.apply()
            with torch.no_grad():
                # Summed on the device: asking for a number at each step would wait for it.
                total[0] += loss.double() * len(batch.labels)
                total[1] += (logits.argmax(1) == batch.labels).sum()
            images_seen += len(batch.labels)
        means = self.workers.sum(total) / (images_seen * self.workers.world)
        mean_loss, accuracy = means.tolist()
        return mean_loss, accuracy
