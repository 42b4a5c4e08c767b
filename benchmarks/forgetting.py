"""Speed of a training that counts forgetting events, against the same training without.

    python -m benchmarks.forgetting [--model resnet8 resnet20] [--steps N] [--batch-size N]

They take turns in this process: epochs of a round of magnitude pruning, with the hook `Forgetting`
and without it. A third loop is without it once more, and tells how far two equal ones differ here.
The last column is quieter where others use the CPU, too: the share of the second loop's time that
the hook itself took (on a GPU: to launch its kernels). What it does at an epoch's end is charged to
each turn, however few its steps. Validation and states are left out.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from statistics import median

import torch

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
from lp_core.training.forgetting import Forgetting
from lp_core.training.hooks import Hook, Progress

DENSITY = 0.8**10  # of ticket 10, where each round removes a fifth
_CPU = torch.device("cpu")


class Timed(Forgetting):
    """Adds up the seconds that it takes."""

    seconds = 0.0

    def after_backward(self, progress: Progress) -> None:
        self.seconds += seconds(partial(super().after_backward, progress), _CPU)

    def after_epoch(self, progress: Progress) -> None:
        self.seconds += seconds(partial(super().after_epoch, progress), _CPU)


def line(name: str, dataset: Dataset, compute: Compute, options: argparse.Namespace) -> str:
    """Measure one network; its line of the table."""
    batch = options.batch_size
    loader = FirstSteps(train_loader(dataset, batch, AUGMENT, compute.device), options.steps)

    def looped(hooks: Sequence[Hook]) -> Library:
        model = build(name, len(dataset.classes), dataset.channels, dataset.size, seed=0)
        return Library(model, by_magnitude(model, DENSITY), loader, batch, compute, hooks)

    hook = Timed(len(dataset.labels("train")))
    loops = (looped([]), looped([hook]), looped([]))
    without, counting, again = turns(loops, options.repeats, compute.device)
    share = hook.seconds / (options.repeats + 1) / median(counting)  # one turn is a warm-up
    rates = [len(loader) * batch / median(measured) for measured in (without, counting)]
    return (
        f"{name:<10}{rates[0]:>10.0f}{rates[1]:>10.0f}"
        + "".join(
            f"{ratio:>10.3f}{f'{lower:.3f}–{upper:.3f}':>14}"
            for lower, ratio, upper in (quartiles(without, counting), quartiles(without, again))
        )
        + f"{100 * share:>10.2f}%"
    )


def main() -> None:
    options = options_of(__doc__).parse_args()
    dataset, compute = made_ready(options)
    print(
        f"{'model':<10}{'without':>10}{'counting':>10}{'ratio':>10}{'quartiles':>14}"
        f"{'equal':>10}{'quartiles':>14}{'in the hook':>12}"
    )
    for name in options.model:
        print(line(name, dataset, compute, options), flush=True)


if __name__ == "__main__":
    main()
