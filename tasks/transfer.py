"""Stage `transfer`: a ticket's frozen features on another data set (SGD noise, section 5.1; tables
6, 19 and 20).

The target's images are brought to the size and channels of the source's and normalised with their
own mean and deviation; a new linear layer is trained on what the last block makes of them.
"""

from argparse import Namespace

from lp_core.data.adapt import adapted
from lp_core.data.store import Dataset
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
    target = arguments.target
    params = Params(variant)
    bench = Bench(params)
    source = bench.dataset
    images = adapted(Dataset.load(paths.dataset(target)), source.channels, source.size)
    probing = Probing.on(images, bench, params, seed)
    rows: list[Row] = []
    for network, ticket in probing.networks(variant, number):
        whose = {"network": network, "ticket": number, "density": ticket.density, "target": target}
        rows += [
            whose | {"split": row["split"], "accuracy": row["accuracy"]}
            for row in probing.rows(ticket, last=True)
        ]
        print(f"transfer@{variant}-{seed}-{number}-{target}: {network}", flush=True)
    write_rows(
        paths.rows("transfer", variant, seed, number, target),
        bench.head("transfer", variant, seed, ticket=number, target=target),
        {
            "transfer": rows,
            "stages": [provenance("transfer", f"{number}-{target}", bench.compute)],
        },
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        ticket=int,
        target="datasets",
        code=("transfer", "networks/{variant}"),
    )
