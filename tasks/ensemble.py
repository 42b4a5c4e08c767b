"""Stage `ensemble`: a ticket and its nearest siblings, pooled or averaged in output (Figure 7).

The pooled tickets are those of the method that `pooling.ensemble` names. The ensemble is of the
tickets that this method could draw on (siblings that converged), so both start from the same
networks.
"""

from argparse import Namespace
from typing import Any

import torch
from torch import Tensor

from lp_core.pooling.recipe import nearest
from lp_core.training.evaluation import is_correct
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import progress, run
from tasks.kit.costs import ticket_flops
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows
from tasks.kit.trail import Trail


def main(arguments: Namespace) -> None:
    """Test accuracy and cost of both, for every ticket."""
    variant, seed = arguments.variant, arguments.seed
    params = Params(variant)
    method = params.section("pooling.ensemble", str)
    # Not by the recipe itself, which would be code that this stage does not depend on.
    count = params.section(f"pooling.recipes.{method}", dict[str, Any]).get("candidates")
    bench, trail = Bench(params), Trail(params, variant, seed)
    logits: dict[int, Tensor] = {}
    cost: dict[int, int] = {}
    density: dict[int, float] = {}
    labels = torch.empty(0)
    for number in trail.numbers:
        ticket = bench.to_device(trail.load(number))
        logits[number], labels = bench.predict(ticket, "test")
        cost[number], density[number] = ticket_flops(ticket, bench), ticket.density

    rows: list[Row] = []
    siblings = trail.converged()
    for number in progress(trail.numbers, f"ensemble@{variant}-{seed}"):
        members = [number, *nearest(number, siblings, count)]
        together = torch.stack([logits[member] for member in members]).mean(0)
        whose = {"variant": variant, "seed": seed, "method": method, "ticket": number}
        pooled = bench.load(paths.pooled(variant, seed, method, number), **whose)
        alone, _ = bench.predict(pooled, "test")
        rows.append(
            {
                "method": method,
                "ticket": number,
                "density": density[number],
                "members": len(members),
                "accuracy_pool": is_correct(alone, labels).double().mean().item(),
                "accuracy_ensemble": is_correct(together, labels).double().mean().item(),
                "flops_pool": ticket_flops(pooled, bench),
                "flops_ensemble": sum(cost[member] for member in members),
            }
        )
    write_rows(
        paths.rows("ensemble", variant, seed, "tickets"),
        bench.head("ensemble", variant, seed, method=method),
        {"ensembles": rows, "stages": [provenance("ensemble", method, bench.compute)]},
    )


if __name__ == "__main__":
    run(main, variant="variants", seed=int, code=("ensemble", "networks/{variant}"))
