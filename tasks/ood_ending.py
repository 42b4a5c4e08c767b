"""Stage `ood_ending`: what a sparse training came to, on every corruption and severity."""

from argparse import Namespace

from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.corrupted import corrupted_rows
from tasks.kit.endings import load_ended
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows


def main(arguments: Namespace) -> None:
    """Write one ending's rows of the table `ood`."""
    variant, seed = arguments.variant, arguments.seed
    method, ending = arguments.method, arguments.ending
    bench = Bench(Params(variant))
    ticket = load_ended(bench, variant, seed, method, ending)
    whose = {"method": method, "ending": ending}
    whose |= {"density": ticket.density, "digest": ticket.digest}
    write_rows(
        paths.rows("ood_ending", variant, seed, method, ending),
        bench.head("ood_ending", variant, seed, method=method, ending=ending),
        {
            "ood": [whose | scores for scores in corrupted_rows(ticket, bench)],
            "stages": [provenance("ood_ending", f"{method}-{ending}", bench.compute)],
        },
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        method="sup_tickets.training",
        ending="sup_tickets.ending",
        code=("ood_ending", "networks/{variant}"),
    )
