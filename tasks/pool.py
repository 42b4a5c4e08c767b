"""Stage `pool`: pool every ticket with its siblings by one method (Algorithms 2 and 3).

The held-out split decides; the test split is only reported on, after the search is over.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from math import ceil
from typing import Any

from torch import Tensor

from lp_core.data.augment import AugmentSpec
from lp_core.data.loading import Batch, load_images, normalised_batches, train_loader
from lp_core.data.subsets import balanced_slices
from lp_core.pooling.averaging import ema, swa
from lp_core.pooling.choosing import best_of_all, successive_halving
from lp_core.pooling.greedy import PoolResult, nearest, search
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.spec import MethodSpec, PoolSpec
from lp_core.seeds import noise_seed
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from tasks import paths
from tasks.networks import EVAL_BATCH, Network
from tasks.params import Params
from tasks.rows import write_rows
from tasks.stage import progress, run

# What a pooled ticket has in common with its target; accuracies, say, are its own.
_LINEAGE = ("dataset", "model", "variant", "init_seed", "noise_seed", "ticket")
_CALIBRATION_BATCH = 128
# Cumulative shares of the held-out set after each slice of a halving.
_SLICES = [1 / 8, 1 / 4, 1 / 2, 1.0]


def main(arguments: Namespace) -> None:
    """Pool each ticket in turn as the target, and keep the whole trace of the search."""
    variant, seed, name = arguments.variant, arguments.seed, arguments.method
    params = Params(variant)
    spec = params.section("pool", PoolSpec)
    method = params.section(f"methods.{name}", MethodSpec)
    numbers = [line.ticket for line in params.section("imp", ImpSpec).rounds]
    network = Network(params)
    augment = params.section("train.augment", AugmentSpec)
    searching, final = _calibration(network, spec, augment, noise_seed(seed, None, 0))
    held_out = HeldOut(network.model, _slices(network), searching, network.compute)
    pool = _recipe(method, spec, held_out)

    def load(number: int) -> Ticket:
        ticket = Ticket.load(paths.ticket(variant, seed, number))
        return ticket.to(network.compute.device, network.compute.layout)

    pools: list[dict[str, Any]] = []
    trace: list[dict[str, Any]] = []
    for number in progress(numbers, f"pool@{variant}-{seed}-{name}"):
        siblings = (load(i) for i in nearest(number, numbers, method.candidates))
        result = pool(load(number), siblings)  # nobody else holds the target's weights
        ticket = held_out.calibrate(result.ticket, final)
        lineage = {key: value for key, value in ticket.meta.items() if key in _LINEAGE}
        ticket.meta = lineage | {
            "method": name,
            "members": result.members,
            "density": ticket.density,
            "batch_norm": ticket.meta.get("batch_norm", "trained"),
        }
        ticket.save(paths.pooled(variant, seed, name, number))
        about = {"method": name, "ticket": number}
        for split in ("val", "test"):
            row = about | {"density": ticket.density, "split": split}
            pools.append(
                row | asdict(network.scores(ticket, split)) | {"members": len(result.members)}
            )
        trace += [about | asdict(step) for step in result.trace]
    write_rows(paths.rows("pool", variant, seed, name), {"pools": pools, "pool_search": trace})


def _recipe(
    method: MethodSpec, spec: PoolSpec, held_out: HeldOut
) -> Callable[[Ticket, Iterator[Ticket]], PoolResult]:
    if method.recipe == "swa":
        return swa
    if method.recipe == "ema":
        return partial(ema, decay=method.decay)
    return partial(
        search,
        coefficients=method.coefficients,
        score=held_out,
        prune=method.prune,
        choose=successive_halving if spec.search == "halving" else best_of_all,
    )


def _slices(network: Network) -> list[list[Batch]]:
    dataset = network.dataset
    val = load_images(dataset, "val")
    batches = partial(
        normalised_batches,
        mean=dataset.mean,
        std=dataset.std,
        batch_size=EVAL_BATCH,
        device=network.compute.device,
    )
    return [
        list(batches(val.images[piece], val.labels[piece]))
        for piece in balanced_slices(val.labels.numpy(), _SLICES, seed=0)
    ]


def _calibration(
    network: Network, spec: PoolSpec, augment: AugmentSpec, seed: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Training images to re-estimate batch norm on: during the search, and of the pooled ticket.

    Augmented as in training, since a network expects the statistics that it was trained with, but
    always the same, so that a search can be repeated.
    """
    if spec.batch_norm == "average":
        return [], []
    device = network.compute.device
    size = min(_CALIBRATION_BATCH, len(network.dataset.labels("train")))
    loader = train_loader(network.dataset, size, augment, device)
    wanted = (spec.calibration_images, spec.final_calibration_images)
    few, many = (min(len(loader), ceil(images / size)) for images in wanted)
    batches = [images for images, _ in islice(loader.epoch(seed), max(few, many))]
    return batches[:few], batches[:many]


if __name__ == "__main__":
    run(main, "variant", "seed", "method")
