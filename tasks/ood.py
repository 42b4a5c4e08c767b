"""Stage `ood`: everything measured on one ticket as it stands.

Its scores on held-out and test images, on every corruption and severity, and what it costs to run.
Nothing here goes back into training, so another score, column or corruption retrains nothing.
"""

from argparse import Namespace
from dataclasses import asdict

from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.cli import run
from tasks.kit.corrupted import corrupted_rows
from tasks.kit.costs import ticket_flops, ticket_parameters
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows


def main(arguments: Namespace) -> None:
    """Write one ticket's rows of the tables `tickets` and `ood`."""
    variant, seed, number = arguments.variant, arguments.seed, arguments.ticket
    bench = Bench(Params(variant))
    ticket = bench.load(
        paths.ticket(variant, seed, number), variant=variant, seed=seed, ticket=number
    )
    resume.forget(resume.stage_name("imp", variant, seed, f"round{number}"))
    row = {
        "ticket": number,
        "density": ticket.density,
        "digest": ticket.digest,
        "converged": ticket.meta["converged"],
        "flops": ticket_flops(ticket, bench),
        "parameters": ticket_parameters(ticket),
    }
    splits = [
        row | {"split": split} | asdict(bench.scores(ticket, split)) for split in ("val", "test")
    ]
    whose = {name: row[name] for name in ("ticket", "density", "digest")} | {"method": "ticket"}
    corrupted = [whose | scores for scores in corrupted_rows(ticket, bench)]
    write_rows(
        paths.rows("ood", variant, seed, number),
        bench.head("ood", variant, seed, ticket=number),
        {
            "tickets": splits,
            "ood": corrupted,
            "stages": [provenance("ood", number, bench.compute)],
        },
    )


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        ticket=int,
        parent=str,  # not read: DVC hands over the whole round
        code=("ood", "networks/{variant}"),
    )
