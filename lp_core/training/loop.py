"""One training run: SGD on a masked network from one epoch to another (Algorithm 1, line 4)."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.training.distributed import Workers
from lp_core.training.evaluation import Scores
from lp_core.training.resume import Epoch, load_state, save_state
from lp_core.training.schedules import learning_rate
from lp_core.training.spec import TrainSpec


class Loader(Protocol):
    """Augmented batches of one epoch, fixed by its seed, on the compute device."""

    def __len__(self) -> int: ...

    def epoch(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]: ...


def train(
    model: nn.Module,
    mask: Mapping[str, Tensor],
    loader: Loader,
    *,
    spec: TrainSpec,
    epochs: range,
    seed: Callable[[int], int],
    compute: Compute,
    validate: Callable[[nn.Module], Scores],
    state: Path | None = None,
    workers: Workers | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> list[Epoch]:
    """Train in place; returns the curve, one row for each finished epoch.

    mask: weights outside it are zero before the first step and after every step (of a run that
    diverges: in the end).
    epochs: which of the schedule's epochs to run: a ticket starts at the rewind point.
    seed: noise seed of an epoch. validate: scores on held-out images, called after each epoch by
    the first process, whose batch-norm statistics are those that are kept; NaN in the others.
    state: where to keep the state after each epoch, and to go on from if it is there; the result
    is bit for bit that of an undisturbed run on the same machine.

    A run whose loss is no longer finite ends with that epoch: more of them cannot mend it. That
    is a result to be recorded, not an error.
    """
    workers = workers or Workers()
    model = compute.place(model)
    masked = {
        parameter: torch.empty_like(parameter).copy_(mask[name])  # laid out alike, for `_prune`
        for name, parameter in model.named_parameters()
        if name in mask and not mask[name].all()
    }
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=spec.schedule.lr,
        momentum=spec.momentum,
        weight_decay=spec.weight_decay,
        foreach=True,
    )
    curve = load_state(state, model, optimizer) if state else []
    _prune(masked)

    for epoch in epochs[len(curve) :]:
        if curve and not math.isfinite(curve[-1].loss):
            break
        began = time.perf_counter()
        # Anew for each epoch: after its first step it sums gradients in another order, and a run
        # that goes on in the middle has to sum as the undisturbed one does.
        network = workers.wrap(model, compute.device)
        model.train()
        total = torch.zeros(2, dtype=torch.float64, device=compute.device)
        images_seen = 0
        for step, (images, labels) in enumerate(loader.epoch(seed(epoch))):
            lr = learning_rate(spec.schedule, epoch + step / len(loader), spec.epochs)
            for group in optimizer.param_groups:
                group["lr"] = lr
            with compute.autocast():
                logits = network(images)
            loss = nn.functional.cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _prune(masked)
            with torch.no_grad():
                # Summed on the device: asking for a number at each step would wait for it.
                total[0] += loss.double() * len(labels)
                total[1] += (logits.argmax(1) == labels).sum()
            images_seen += len(labels)
        loss_mean, accuracy = (workers.sum(total) / (images_seen * workers.world)).tolist()
        held_out = validate(model) if workers.first else Scores(math.nan, math.nan, math.nan)
        curve.append(
            Epoch(
                epoch=epoch,
                lr=lr,
                accuracy=accuracy,
                loss=loss_mean,
                val_accuracy=held_out.accuracy,
                val_loss=held_out.nll,
                seconds=time.perf_counter() - began,
            )
        )
        if workers.first:
            if state:
                save_state(state, model, optimizer, curve)
            on_epoch(curve[-1])
        workers.wait()
    for parameter, kept in masked.items():
        # NaN · 0 is NaN: in a run that diverged the products below have left more than the mask.
        parameter.detach().masked_fill_(kept == 0, 0.0)
    return curve


@torch.no_grad()
def _prune(masked: Mapping[nn.Parameter, Tensor]) -> None:
    # All at once: on a GPU a kernel for each of the layers would cost more than the multiplying.
    # (So it is where masks lie in memory as the parameters do.)
    if masked:
        torch._foreach_mul_(list(masked), list(masked.values()))
