"""Stage `probe`: what linear probes make of a ticket's features, block by block (SGD noise, section
5.1; tables 5, 17 and 18).

Of the untrained ticket, of one whose mask is permuted layer by layer, and of the trained one.
Ticket 0 is the dense network: at random where tickets start from the initialisation, and trained.
"""

from argparse import Namespace

from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.frozen import Probing
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows


def main(arguments: Namespace) -> None:
    """Write the rows of one ticket's networks."""
    variant, seed, number = arguments.variant, arguments.seed, arguments.ticket
    params = Params(variant)
    bench = Bench(params)
    probing = Probing.on(bench.dataset, bench, params, seed)
    rows: list[Row] = []
    for network, ticket in probing.networks(variant, number):
        whose = {"network": network, "ticket": number, "density": ticket.density}
        rows += [whose | row for row in probing.rows(ticket)]
        print(f"probe@{variant}-{seed}-{number}: {network}", flush=True)
    write_rows(
        paths.rows("probe", variant, seed, number),
        bench.head("probe", variant, seed, ticket=number),
        {"probes": rows, "stages": [provenance("probe", number, bench.compute)]},
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        ticket=int,
        code=("probe", "networks/{variant}"),
    )
