"""Stage `sibling`: imp-pool's pools with a Sup-ticket as one more sibling.

Each ticket of a variant and seed is pooled as the stage `pool` does it, and offered last the ticket
that a sparse training of the same variant and seed came to. Whether that helps is a question that
neither paper asks. As in `pool`, held-out images decide and test images report.
"""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from lp_core.pooling.recipe import nearest
from lp_core.pooling.result import Step
from lp_core.pooling.target import OnDevice
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import progress, run
from tasks.kit.endings import load_ended
from tasks.kit.held_out import pooling_score
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.recipes import read_recipe
from tasks.kit.rows import Row, write_rows
from tasks.kit.trail import Trail

_NEWCOMER = -1  # stands in a trace for the Sup-ticket, which has no number


def main(arguments: Namespace) -> None:
    """Pool each ticket with the newcomer, and hold it against the pool that does without."""
    variant, seed = arguments.variant, arguments.seed
    method, pool = arguments.method, arguments.pool
    params = Params(variant)
    ending = params.section("sup_tickets.siblings.ending", str)
    recipe = read_recipe(params, pool)
    bench, trail = Bench(params), Trail(params, variant, seed)
    newcomer = load_ended(bench, variant, seed, method, ending)
    newcomer.meta["ticket"] = _NEWCOMER
    offered = {_NEWCOMER: newcomer} if newcomer.meta["converged"] else {}
    held_out = pooling_score(bench, params, seed)
    siblings = trail.converged()
    rows: list[Row] = []
    for number in progress(trail.numbers, f"sibling@{variant}-{seed}-{method}-{pool}"):
        order = [number, *nearest(number, siblings, recipe.candidates), *offered]
        tickets = OnDevice(lambda n: offered.get(n) or trail.load(n), order, bench.compute)
        result = replace(recipe, candidates=None).pool(tickets[0], tickets[1:], held_out)
        pooled_with = held_out.calibrate(result.ticket)
        whose = {"variant": variant, "seed": seed, "method": pool, "ticket": number}
        without = bench.load(paths.pooled(variant, seed, pool, number), **whose)
        coefficient = _coefficient(result.trace)
        row = {"method": method, "ending": ending, "pool": pool, "ticket": number}
        rows += [
            row
            | {
                "density": pooled_with.density,
                "split": split,
                "accuracy_without": bench.scores(without, split).accuracy,
                "accuracy_with": bench.scores(pooled_with, split).accuracy,
                "accepted": coefficient is not None,
                "coefficient": coefficient,
            }
            for split in ("val", "test")
        ]
    write_rows(
        paths.rows("sibling", variant, seed, method, pool),
        bench.head("sibling", variant, seed, method=method, ending=ending, pool=pool),
        {"siblings": rows, "stages": [provenance("sibling", f"{method}-{pool}", bench.compute)]},
    )


def _coefficient(trace: Sequence[Step]) -> float | None:
    """The weight of the pool when the newcomer was taken in; None where it was not."""
    taken = [s.coefficient for s in trace if s.candidate == _NEWCOMER and s.accepted]
    return taken[0] if taken else None


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        method="sup_tickets.training",
        pool="pooling.recipes",
        code=("sibling", "networks/{variant}", "recipes/{pool}"),
    )
