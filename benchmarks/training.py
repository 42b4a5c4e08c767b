"""Training speed: the library's loop, fed by its loader, against a bare loop on synthetic tensors.

    python -m benchmarks.training [--model resnet20 resnet18] [--steps N] [--device cuda]

They take turns in this process. The library does in every step what a round of magnitude pruning
does (crop, flip, normalise, schedule, mask of a sparse ticket, running loss and accuracy). The bare
loop does forward, backward and SGD on one batch that lies on the device, with PyTorch's default
switches. Validation is left out; keeping the resumable state, which comes once an epoch, is timed
on its own and charged by the epoch in the last column.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import nn

from benchmarks.loops import (
    AUGMENT,
    FirstSteps,
    Library,
    by_magnitude,
    made_ready,
    options_of,
    quartiles,
    seconds,
    turns,
)
from lp_core.compute import Compute
from lp_core.data.loading import train_loader
from lp_core.data.store import Dataset
from lp_core.models.factory import build

# Of the ticket in training: number 10 in a chain where each round removes a fifth.
DENSITY = 0.8**10


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
    model = network()
    library = Library(model, by_magnitude(model, DENSITY), loader, batch, compute)
    times = turns((bare, library), options.repeats, compute.device)
    lower, ratio, upper = quartiles(times[0], times[1])
    epoch = median(times[1]) / len(loader) * len(whole)
    state = keeping_the_state(library)
    rates = [len(loader) * batch / median(measured) for measured in times]
    return (
        f"{name:<10}{rates[0]:>10.0f}{rates[1]:>10.0f}{ratio:>8.3f}"
        f"{f'{lower:.3f}–{upper:.3f}':>14}{ratio * epoch / (epoch + state):>12.3f}"
    )


def main() -> None:
    options = options_of(__doc__).parse_args()
    dataset, compute = made_ready(options)
    print(
        f"{'model':<10}{'bare':>10}{'library':>10}{'ratio':>8}{'quartiles':>14}{'with state':>12}"
    )
    for name in options.model:
        print(line(name, dataset, compute, options), flush=True)


if __name__ == "__main__":
    main()
