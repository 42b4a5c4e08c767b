"""What the benchmarks of training share: the library's loop, fed as in a round, and its clock."""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import quantiles

import torch
from torch import Tensor, nn

from lp_core import faces
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.epoch import Batch
from lp_core.data.store import Dataset, Split
from lp_core.models.spec import NETWORKS
from lp_core.models.structure import Prunable, prunable
from lp_core.seeds import noise_seed
from lp_core.sparsity.magnitude import magnitude_mask
from lp_core.training.evaluation import Scores
from lp_core.training.hooks import Hook
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec
from lp_core.training.trainer import Loader, Trainer

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


class Library:
    """Epochs of a `Trainer` on a sparse network: `Library(…)(turn)` trains the epoch `turn`."""

    def __init__(
        self,
        model: nn.Module,
        masks: Mapping[str, Tensor],
        loader: Loader,
        batch_size: int,
        compute: Compute,
        hooks: Sequence[Hook] = (),
    ) -> None:
        schedule = Schedule(lr=0.1, drops=[91, 136])
        self.masks = masks
        self.trainer = Trainer(
            compute.to_device(model),
            loader,
            TrainSpec(182, batch_size, 0.9, 1e-4, schedule, AUGMENT),
            compute,
            noise=lambda epoch: noise_seed(0, 10, epoch),
            validate=lambda _: Scores(0.0, 0.0, 0.0),
            hooks=hooks,
        )

    def __call__(self, turn: int) -> None:
        self.trainer.train(self.masks, range(turn, turn + 1))


def by_magnitude(model: nn.Module, density: float, kind: Prunable = "conv") -> dict[str, Tensor]:
    """The masks of a round of magnitude pruning."""
    weights = {name: model.get_parameter(name) for name in prunable(model, kind)}
    return magnitude_mask(weights, round(density * sum(w.numel() for w in weights.values())))


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


def turns(
    loops: Sequence[Callable[[int], object]], repeats: int, device: torch.device
) -> list[list[float]]:
    """Seconds of each loop's turns, less the first, which is a warm-up."""
    times: list[list[float]] = [[] for _ in loops]
    for turn in range(repeats + 1):
        # Every second turn the other way round, so that a drift of the machine cancels out.
        order = range(len(loops)) if turn % 2 else reversed(range(len(loops)))
        for index in order:
            times[index].append(seconds(partial(loops[index], turn), device))
    return [measured[1:] for measured in times]


def quartiles(reference: list[float], measured: list[float]) -> list[float]:
    """Of the speed relative to a reference that took turns: lower quartile, median, upper one."""
    return quantiles([r / m for r, m in zip(reference, measured, strict=True)], n=4)


def options_of(doc: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark of training has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    add, names = parser.add_argument, faces.names(NETWORKS)
    add("--model", nargs="+", default=["resnet20", "resnet18"], choices=names, help="networks")
    add("--steps", type=int, help="steps in a turn; default: 2 on a CPU, an epoch on a GPU")
    add("--repeats", type=int, default=15, help="turns of each way, after a warm-up (15)")
    add("--batch-size", type=int, default=128, help="images in a step (128)")
    add("--device", default="auto", help="cpu, cuda or auto, which is a GPU where there is one")
    add("--precision", default="auto", choices=["auto", "bf16", "fp32"], help="of autocast (auto)")
    add("--threads", type=int, default=0, help="on the CPU; 0 is PyTorch's choice (0)")
    add("--data", type=Path, help="folder that the stage dataset wrote; default: random images")
    return parser


def made_ready(options: argparse.Namespace) -> tuple[Dataset, Compute]:
    """What the options name; tells what is measured, and on what."""
    compute = Compute(ComputeSpec(options.device, options.precision, True, options.threads))
    dataset = Dataset.load(options.data) if options.data else random_dataset()
    on_gpu = compute.device.type == "cuda"
    options.steps = options.steps or (len(dataset.labels("train")) if on_gpu else 2)
    device = torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} CPU thread(s)"
    print(
        f"images/s on {device}, {compute.precision}, channels_last, batch {options.batch_size}, "
        f"{dataset.name} images, medians of {options.repeats} turns"
    )
    return dataset, compute
