"""Stage `ensemble`: a ticket and its nearest siblings, pooled or averaged in output (Figure 7).

The pooled tickets are those of the method that `ensemble.method` names; the ensemble is of the
same tickets that this method could draw on (siblings that converged), so both start from the same
networks.
"""

from argparse import Namespace

import torch
from torch import Tensor

from lp_core.analysis.flops import flops
from lp_core.pooling.recipe import nearest
from lp_core.pooling.spec import EnsembleSpec, MethodSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import is_correct
from tasks.kit import paths
from tasks.kit.bench import Network, siblings
from tasks.kit.cli import progress, run
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows


def main(arguments: Namespace) -> None:
    """Test accuracy and cost of both, for every ticket."""
    variant, seed = arguments.variant, arguments.seed
    params = Params(variant)
    name = params.section("ensemble", EnsembleSpec).method
    count = params.section(f"methods.{name}", MethodSpec).candidates
    network = Network(params)
    logits: dict[int, Tensor] = {}
    cost: dict[int, int] = {}
    density: dict[int, float] = {}
    labels = torch.empty(0)
    for number in network.numbers:
        ticket = Ticket.load(paths.ticket(variant, seed, number))
        logits[number], labels = network.predict(ticket, "test")
        cost[number] = _cost(ticket, network)
        density[number] = ticket.density

    rows = []
    candidates = siblings(variant, seed, network.numbers)
    for number in progress(network.numbers, f"ensemble@{variant}-{seed}"):
        members = [number, *nearest(number, candidates, count)]
        together = torch.stack([logits[member] for member in members]).mean(0)
        pooled = Ticket.load(paths.pooled(variant, seed, name, number))
        alone, _ = network.predict(pooled, "test")
        rows.append(
            {
                "method": name,
                "ticket": number,
                "density": density[number],
                "members": len(members),
                "accuracy_pool": is_correct(alone, labels).double().mean().item(),
                "accuracy_ensemble": is_correct(together, labels).double().mean().item(),
                "flops_pool": _cost(pooled, network),
                "flops_ensemble": sum(cost[member] for member in members),
            }
        )
    ran = provenance("ensemble", name, network.compute)
    write_rows(
        paths.rows("ensemble", variant, seed, "tickets"), {"ensembles": rows, "stages": [ran]}
    )


def _cost(ticket: Ticket, network: Network) -> int:
    return flops(network.model, network.dataset.input_shape, ticket.mask)


if __name__ == "__main__":
    run(main, "variant", "seed")
