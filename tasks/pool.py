"""Stage `pool`: pool every ticket with its siblings by one method (Algorithms 2 and 3).

The held-out split decides; the test split is only reported on, after the search is over.
"""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from lp_core.data.loading import load_images, normalised_batches
from lp_core.data.subsets import balanced_indices, balanced_slices
from lp_core.pooling.averaging import ema, swa
from lp_core.pooling.choosing import best_of_all, successive_halving
from lp_core.pooling.greedy import PoolResult, nearest, search
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.spec import MethodSpec, PoolSpec
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from tasks import paths
from tasks.networks import EVAL_BATCH, Network
from tasks.params import Params
from tasks.rows import write_rows
from tasks.stage import progress, run

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
    held_out = _held_out(network, spec)

    def load(number: int) -> Ticket:
        ticket = Ticket.load(paths.ticket(variant, seed, number))
        return ticket.to(network.compute.device, network.compute.layout)

    pools: list[dict[str, Any]] = []
    trace: list[dict[str, Any]] = []
    for number in progress(numbers, f"pool@{variant}-{seed}-{name}"):
        target = load(number)
        siblings = nearest(number, numbers, method.candidates)
        result = _pool(target, (load(i) for i in siblings), method, spec, held_out)
        ticket = held_out.calibrate(result.ticket)
        ticket.meta |= {"method": name, "members": result.members, "density": target.density}
        ticket.save(paths.pooled(variant, seed, name, number))
        about = {"method": name, "ticket": number}
        for split in ("val", "test"):
            row = about | {"density": target.density, "split": split}
            pools.append(
                row | asdict(network.scores(ticket, split)) | {"members": len(result.members)}
            )
        trace += [about | asdict(step) for step in result.trace]
    write_rows(paths.rows("pool", variant, seed, name), {"pools": pools, "pool_search": trace})


def _pool(
    target: Ticket,
    candidates: Iterator[Ticket],
    method: MethodSpec,
    spec: PoolSpec,
    held_out: HeldOut,
) -> PoolResult:
    if method.recipe == "swa":
        return swa(target, candidates)
    if method.recipe == "ema":
        return ema(target, candidates, method.decay)
    choose = successive_halving if spec.search == "halving" else best_of_all
    return search(target, candidates, method.coefficients, held_out, method.prune, choose)


def _held_out(network: Network, spec: PoolSpec) -> HeldOut:
    dataset, device = network.dataset, network.compute.device
    batches = partial(
        normalised_batches,
        mean=dataset.mean,
        std=dataset.std,
        batch_size=EVAL_BATCH,
        device=device,
    )
    calibration = []
    if spec.batch_norm == "re-estimate":
        labels = dataset.labels("train").numpy()
        count = min(spec.calibration_images, len(labels))
        images = load_images(dataset, "train", balanced_indices(labels, count, seed=0))
        calibration = [batch for batch, _ in batches(images.images, images.labels)]
    val = load_images(dataset, "val")
    slices = [
        list(batches(val.images[piece], val.labels[piece]))
        for piece in balanced_slices(val.labels.numpy(), _SLICES, seed=0)
    ]
    return HeldOut(network.model, slices, calibration, network.compute)


if __name__ == "__main__":
    run(main, "variant", "seed", "method")
