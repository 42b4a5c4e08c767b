"""Speed of a sparse training: RigL's run, between updates and with them, against a round of IMP.

    python -m benchmarks.sparse_training [--model resnet20 resnet18] [--steps N] [--device cuda]

They take turns in this process: the loop of a round with a mask of density 0.1 that stays; the same
network under RigL, with all hooks of a stage, between updates; and RigL that updates its mask at
every step, which tells what an update costs. The last columns charge that by the published
intervals. Convolutions and linear layers are masked. Validation and states are left out.
"""

import argparse
from statistics import median

from torch import nn

from benchmarks.loops import (
    AUGMENT,
    FirstSteps,
    Library,
    by_magnitude,
    made_ready,
    options_of,
    quartiles,
    turns,
)
from lp_core.compute import Compute
from lp_core.data.loading import train_loader
from lp_core.data.store import Dataset
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.sparsity.methods.rigl import Rigl
from lp_core.superposing.costs import TrainingCost

DENSITY = 0.1
INTERVALS = (100, 1000, 4000)
_LONG = 10**9  # steps of the training, so that no update comes, or the prune rate stays


def line(name: str, dataset: Dataset, compute: Compute, options: argparse.Namespace) -> str:
    """Measure one network; its line of the table."""

    def network() -> nn.Module:
        return build(name, len(dataset.classes), dataset.channels, dataset.size, seed=0)

    batch = options.batch_size
    loader = FirstSteps(train_loader(dataset, batch, AUGMENT, compute.device), options.steps)

    def rigl(interval: int) -> Library:
        model, method = network(), Rigl(density=DENSITY, interval=interval)
        names = prunable(model, "conv+linear")
        masks = method.initial_masks(model, names, lambda: next(loader.epoch(0)), 0, compute)
        hooks = [method.updates(_LONG, len(loader), seed=0), TrainingCost()]
        return Library(model, masks, loader, batch, compute, hooks)

    model = network()
    masks = by_magnitude(model, DENSITY, "conv+linear")
    loops = (Library(model, masks, loader, batch, compute), rigl(_LONG), rigl(1))
    imp, between, always = turns(loops, options.repeats, compute.device)
    lower, ratio, upper = quartiles(imp, between)
    step, update = median(between) / len(loader), median(always) / len(loader)
    rates = [len(loader) * batch / median(measured) for measured in (imp, between)]
    charged = [ratio * step / (step + (update - step) / interval) for interval in INTERVALS]
    return (
        f"{name:<10}{rates[0]:>10.0f}{rates[1]:>10.0f}{ratio:>8.3f}{f'{lower:.3f}–{upper:.3f}':>14}"
        f"{1000 * (update - step):>12.1f}" + "".join(f"{share:>8.3f}" for share in charged)
    )


def main() -> None:
    options = options_of(__doc__).parse_args()
    dataset, compute = made_ready(options)
    print(
        f"{'model':<10}{'imp':>10}{'rigl':>10}{'ratio':>8}{'quartiles':>14}{'update, ms':>12}"
        + "".join(f"{f'/{interval}':>8}" for interval in INTERVALS)
    )
    for name in options.model:
        print(line(name, dataset, compute, options), flush=True)


if __name__ == "__main__":
    main()
