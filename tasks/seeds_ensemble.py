"""Stage `seeds_ensemble`: how differently trainings of other seeds predict.

Several whole trainings of one method, plainly ended, are the traditional ensemble that the
diversity of cheap tickets is held against (Sup-tickets, table 6). Each seed has its own stage.
"""

from argparse import Namespace

from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.diversity import diversity_rows
from tasks.kit.endings import load_ended
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows

PLAIN = "plain"  # the ending whose tickets are compared; dvc.yaml depends on its folder


def main(arguments: Namespace) -> None:
    """Write the rows of the table `diversity` that begin with this seed's network."""
    variant, seed, method = arguments.variant, arguments.seed, arguments.method
    params = Params(variant)
    bench = Bench(params)
    logits = {
        each: bench.predict(load_ended(bench, variant, each, method, PLAIN), "test")[0]
        for each in params.section("seeds", list[int])
    }
    rows = diversity_rows(logits, kind="seeds", method=method, ending=PLAIN)
    write_rows(
        paths.rows("seeds_ensemble", variant, seed, method),
        bench.head("seeds_ensemble", variant, seed, method=method, ending=PLAIN),
        {
            "diversity": [row for row in rows if row["a"] == seed],
            "stages": [provenance("seeds_ensemble", method, bench.compute)],
        },
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        method="sup_tickets.training",
        code=("seeds_ensemble", "networks/{variant}"),
    )
