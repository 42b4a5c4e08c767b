"""Stage `pool`: pool every ticket with its siblings by one method (Algorithms 2 and 3).

The held-out split decides; the test split is only reported on, after the search is over. Siblings
are the tickets whose training converged; one that did not is a target all the same.
"""

from argparse import Namespace
from dataclasses import asdict

from lp_core.analysis.masks import compare_masks
from lp_core.pooling.target import pool_target
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import progress, run
from tasks.kit.costs import ticket_flops, ticket_parameters
from tasks.kit.held_out import pooling_score
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.recipes import read_recipe
from tasks.kit.rows import Row, write_rows
from tasks.kit.trail import Trail


def main(arguments: Namespace) -> None:
    """Pool each ticket in turn as the target, and keep the whole trace of the search."""
    variant, seed, method = arguments.variant, arguments.seed, arguments.method
    params = Params(variant)
    recipe = read_recipe(params, method)
    bench, trail = Bench(params), Trail(params, variant, seed)
    held_out = pooling_score(bench, params, seed)
    siblings = trail.converged()
    pools: list[Row] = []
    trace: list[Row] = []
    layers: list[Row] = []
    for number in progress(trail.numbers, f"pool@{variant}-{seed}-{method}"):
        result = pool_target(number, siblings, trail.load, recipe, held_out, method, bench.compute)
        ticket = result.ticket
        ticket.meta["precision"] = bench.compute.precision
        ticket.save(paths.pooled(variant, seed, method, number))
        whose = {"method": method, "ticket": number}
        measured = whose | {"density": ticket.density, "digest": ticket.digest}
        for split in ("val", "test"):
            row = measured | {"split": split}
            row |= asdict(bench.scores(ticket, split)) | {"members": len(result.members)}
            costs = {"flops": ticket_flops(ticket, bench), "parameters": ticket_parameters(ticket)}
            pools.append(row | costs)
        trace += [whose | asdict(step) for step in result.trace]
        changes = compare_masks(bench.to_device(trail.load(number)).mask, ticket.mask)
        layers += [whose | asdict(change) for change in changes]
    write_rows(
        paths.rows("pool", variant, seed, method),
        bench.head("pool", variant, seed, method=method),
        {
            "pools": pools,
            "pool_search": trace,
            "layers": layers,
            "stages": [provenance("pool", method, bench.compute)],
        },
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        method="pooling.recipes",
        code=("pool", "networks/{variant}", "recipes/{method}"),
    )
