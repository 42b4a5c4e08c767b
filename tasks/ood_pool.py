"""Stage `ood_pool`: the pooled tickets of one method on every corruption and severity.

Each method is a stage of its own, so that one more method evaluates that method alone.
"""

from argparse import Namespace

from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import progress, run
from tasks.kit.corrupted import corrupted_rows
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows


def main(arguments: Namespace) -> None:
    """Write one method's rows of the table `ood`."""
    variant, seed, method = arguments.variant, arguments.seed, arguments.method
    params = Params(variant)
    bench = Bench(params)
    numbers = [line["ticket"] for line in params.section("imp.rounds", list[dict])]
    rows: list[Row] = []
    for number in progress(numbers, f"ood_pool@{variant}-{seed}-{method}"):
        whose = {"variant": variant, "seed": seed, "method": method, "ticket": number}
        ticket = bench.load(paths.pooled(variant, seed, method, number), **whose)
        row = {"method": method, "ticket": number}
        row |= {"density": ticket.density, "digest": ticket.digest}
        rows += [row | scores for scores in corrupted_rows(ticket, bench)]
    write_rows(
        paths.rows("ood_pool", variant, seed, method),
        bench.head("ood_pool", variant, seed, method=method),
        {"ood": rows, "stages": [provenance("ood_pool", method, bench.compute)]},
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        method="pooling.recipes",
        code=("ood_pool", "networks/{variant}"),
    )
