"""Training speed: the library's loop, fed by its loader, against a bare loop on synthetic tensors.

    python -m benchmarks.training [--model resnet20 resnet18] [--steps N] [--device cuda]

They take turns in this process. The library does in every step what a round of magnitude pruning
does (crop, flip, normalise, schedule, mask of a sparse ticket, running loss and accuracy); then the
same with a hook that counts, for each sample, how often it was forgotten. The bare loop does
forward, backward and SGD on one batch that lies on the device, with PyTorch's default switches.
Validation is left out; keeping the resumable state, which comes once an epoch, is timed on its own
and charged by the epoch in the last column.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import torch
from torch import nn

from lp_core import faces
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.epoch import Batch
from lp_core.data.loading import train_loader
from lp_core.data.store import Dataset, Split
from lp_core.models.factory import build
from lp_core.models.spec import NETWORKS
from lp_core.models.structure import prunable
from lp_core.seeds import noise_seed
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.training.evaluation import Scores
from lp_core.training.hooks import Hook, Progress
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Loader, Trainer

# Of the ticket in training: number 10 in a chain where each round removes a fifth.
DENSITY = 0.8**10
# CIFAR's training images less the held-out tenth.
RANDOM_IMAGES = 45_000
AUGMENT = AugmentSpec(crop=4, flip=True)


class FirstSteps:
    """The first batches of each of a loader's epochs."""

    def __init__(self, loader: Loader, steps: int) -> None:
        self.loader, self.steps = loader, min(steps, len(loader))

    def __len__(self) -> int:
        return self.steps

    def epoch(self, seed: int) -> Iterator[Batch]:
        return itertools.islice(self.loader.epoch(seed), self.steps)


class CountForgetting(Hook):
    """How often each sample was got right once and wrong the next time."""

    def __init__(self, samples: int, device: torch.device) -> None:
        self.correct = torch.zeros(samples, dtype=torch.bool, device=device)
        self.forgotten = torch.zeros(samples, dtype=torch.int32, device=device)

    def after_step(self, progress: Progress) -> None:
        indices = progress.batch.indices
        correct = progress.logits.argmax(1) == progress.batch.labels
        self.forgotten[indices] += self.correct[indices] & ~correct
        self.correct[indices] = correct


class Library:
    """Epochs of a `Trainer` on a sparse ticket."""

    def __init__(
        self,
        model: nn.Module,
        loader: Loader,
        batch_size: int,
        compute: Compute,
        hooks: Sequence[Hook] = (),
    ) -> None:
        schedule = Schedule(lr=0.1, drops=[91, 136])
        self.trainer = Trainer(
            compute.to_device(model),
            loader,
            TrainSpec(182, batch_size, 0.9, 1e-4, schedule, AUGMENT),
            compute,
            noise=lambda epoch: noise_seed(0, 10, epoch),
            validate=lambda _: Scores(0.0, 0.0, 0.0),
            hooks=hooks,
        )
        parameters = dict(model.named_parameters())
        weights = {name: parameters[name] for name in prunable(model)}
        count = sum(weight.numel() for weight in weights.values())
        self.mask = magnitude_mask(weights, round(DENSITY * count))

    def __call__(self, turn: int) -> None:
        self.trainer.train(self.mask, range(turn, turn + 1))


class Bare:
    """The least that training can be: one dense network, one batch, nothing of the library."""

    def __init__(
        self, model: nn.Module, dataset: Dataset, batch_size: int, steps: int, compute: Compute
    ) -> None:
        self.model, self.steps, self.compute = compute.to_device(model).train(), steps, compute
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4
        )
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(batch_size, *dataset.input_shape, generator=generator)
        self.images = images.to(compute.device).contiguous(memory_format=compute.layout)
        labels = torch.randint(0, len(dataset.classes), (batch_size,), generator=generator)
        self.labels = labels.to(compute.device)

    def __call__(self, _: int) -> None:
        torch.use_deterministic_algorithms(False)
        for _step in range(self.steps):
            with self.compute.autocast():
                loss = nn.functional.cross_entropy(self.model(self.images), self.labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        torch.use_deterministic_algorithms(True, warn_only=True)


def random_dataset() -> Dataset:
    """Noise in the shape of CIFAR-10's training split."""
    generator = torch.Generator().manual_seed(0)
    shape = (RANDOM_IMAGES, 32, 32, 3)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (RANDOM_IMAGES,), generator=generator)
    split = Split(pixels.permute(0, 3, 1, 2), labels)
    classes = [str(label) for label in range(10)]
    return Dataset("random", classes, 3, 32, [0.5] * 3, [0.25] * 3, {"train": split})


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Wall time of a call, with all that it left to the device. On one CPU thread it is CPU time,
    which other users of the machine do not lengthen as much."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    began = clock()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began


def keeping_the_state(library: Library) -> float:
    """Seconds to write what a run needs to go on after a kill."""
    with tempfile.TemporaryDirectory() as folder:
        save = partial(library.trainer.save, Path(folder) / "state")
        return median(seconds(save, library.trainer.compute.device) for _ in range(3))


def line(name: str, dataset: Dataset, compute: Compute, options: argparse.Namespace) -> str:
    """Measure one network; its line of the table."""

    def network() -> nn.Module:
        return build(name, len(dataset.classes), dataset.channels, dataset.size, seed=0)

    batch = options.batch_size
    whole = train_loader(dataset, batch, AUGMENT, compute.device)
    loader = FirstSteps(whole, options.steps)
    bare = Bare(network(), dataset, batch, len(loader), compute)
    library = Library(network(), loader, batch, compute)
    counting = CountForgetting(len(dataset.labels("train")), compute.device)
    hooked = Library(network(), loader, batch, compute, [counting])
    loops = (bare, library, hooked)
    times: list[list[float]] = [[] for _ in loops]
    for turn in range(options.repeats + 1):
        # Every second turn the other way round, so that a drift of the machine cancels out.
        for index in (0, 1, 2) if turn % 2 else (2, 1, 0):
            times[index].append(seconds(partial(loops[index], turn), compute.device))
    times = [measured[1:] for measured in times]  # the first is a warm-up
    lower, ratio, upper = quartiles(times[0], times[1])
    hook = quartiles(times[1], times[2])
    epoch = median(times[1]) / len(loader) * len(whole)
    state = keeping_the_state(library)
    rates = [len(loader) * batch / median(measured) for measured in times[:2]]
    return (
        f"{name:<10}{rates[0]:>10.0f}{rates[1]:>10.0f}{ratio:>8.3f}"
        f"{f'{lower:.3f}–{upper:.3f}':>14}{ratio * epoch / (epoch + state):>12.3f}"
        f"{hook[1]:>10.3f}{f'{hook[0]:.3f}–{hook[2]:.3f}':>14}"
    )


def quartiles(reference: list[float], measured: list[float]) -> list[float]:
    """Of the speed relative to a reference that took turns: lower quartile, median, upper one."""
    return quantiles([r / m for r, m in zip(reference, measured, strict=True)], n=4)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add, names = parser.add_argument, faces.names(NETWORKS)
    add("--model", nargs="+", default=["resnet20", "resnet18"], choices=names, help="networks")
    add("--steps", type=int, help="steps in a turn; default: 2 on a CPU, an epoch on a GPU")
    add("--repeats", type=int, default=15, help="turns of each way, after a warm-up (15)")
    add("--batch-size", type=int, default=128, help="images in a step (128)")
    add("--device", default="auto", help="cpu, cuda or auto, which is a GPU where there is one")
    add("--precision", default="auto", choices=["auto", "bf16", "fp32"], help="of autocast (auto)")
    add("--threads", type=int, default=0, help="on the CPU; 0 is PyTorch's choice (0)")
    add("--data", type=Path, help="folder that the stage dataset wrote; default: random images")
    options = parser.parse_args()
    compute = Compute(ComputeSpec(options.device, options.precision, True, options.threads))
    dataset = Dataset.load(options.data) if options.data else random_dataset()
    on_gpu = compute.device.type == "cuda"
    options.steps = options.steps or (len(dataset.labels("train")) if on_gpu else 2)
    device = torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} CPU thread(s)"
    print(
        f"images/s on {device}, {compute.precision}, channels_last, batch {options.batch_size}, "
        f"{dataset.name} images, medians of {options.repeats} turns"
    )
    print(
        f"{'model':<10}{'bare':>10}{'library':>10}{'ratio':>8}{'quartiles':>14}{'with state':>12}"
        f"{'hook':>10}{'quartiles':>14}"
    )
    for name in options.model:
        print(line(name, dataset, compute, options), flush=True)


if __name__ == "__main__":
    main()
