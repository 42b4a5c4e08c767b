"""Stage `pool`: pool every ticket with its siblings by one method (Algorithms 2 and 3).

The held-out split decides; the test split is only reported on, after the search is over.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from lp_core.data.augment import AugmentSpec
from lp_core.pooling.averaging import ema, swa
from lp_core.pooling.choosing import best_of_all, successive_halving
from lp_core.pooling.greedy import PoolResult, nearest, search
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.preparing import prepare
from lp_core.pooling.spec import MethodSpec, PoolSpec
from lp_core.seeds import noise_seed
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from tasks import paths
from tasks.networks import Network
from tasks.params import Params
from tasks.provenance import provenance
from tasks.rows import write_rows
from tasks.stage import progress, run

# What a pooled ticket has in common with its target; accuracies, say, are its own.
_LINEAGE = ("dataset", "model", "variant", "init_seed", "noise_seed", "ticket")


def main(arguments: Namespace) -> None:
    """Pool each ticket in turn as the target, and keep the whole trace of the search."""
    variant, seed, name = arguments.variant, arguments.seed, arguments.method
    params = Params(variant)
    spec = params.section("pool", PoolSpec)
    method = params.section(f"methods.{name}", MethodSpec)
    numbers = [line.ticket for line in params.section("imp", ImpSpec).rounds]
    network = Network(params)
    augment = params.section("train.augment", AugmentSpec)
    drawn = noise_seed(seed, None, 0)
    held_out = prepare(network.model, network.dataset, spec, augment, drawn, network.compute)
    pool = _recipe(method, spec, held_out)

    def load(number: int) -> Ticket:
        ticket = Ticket.load(paths.ticket(variant, seed, number))
        return ticket.to(network.compute.device, network.compute.layout)

    pools: list[dict[str, Any]] = []
    trace: list[dict[str, Any]] = []
    for number in progress(numbers, f"pool@{variant}-{seed}-{name}"):
        siblings = (load(i) for i in nearest(number, numbers, method.candidates))
        result = pool(load(number), siblings)  # nobody else holds the target's weights
        ticket = held_out.finish(result.ticket)
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
    found = {"pools": pools, "pool_search": trace}
    found["stages"] = [provenance("pool", name, network.compute)]
    write_rows(paths.rows("pool", variant, seed, name), found)


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


if __name__ == "__main__":
    run(main, "variant", "seed", "method")
