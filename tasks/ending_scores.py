"""Stage `ending_scores`: what a sparse training came to with one ending.

Accuracy, calibration and cost of its ticket, of each cheap ticket and of their running average; how
differently the cheap tickets predict; layer densities. Nothing here goes back into training.
"""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict

from lp_core.analysis.flops import flops
from lp_core.pooling.batch_norm import re_estimate
from lp_core.pooling.superposition import Superposition
from lp_core.superposing.spec import EndingSpec
from lp_core.tickets import Ticket
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.calibration import calibration_images
from tasks.kit.cli import run
from tasks.kit.costs import ticket_flops
from tasks.kit.diversity import diversity_rows
from tasks.kit.endings import load_ended
from tasks.kit.layers import layer_rows
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows

_SPLITS = ("val", "test")


def main(arguments: Namespace) -> None:
    """Write one ending's rows of the tables about accuracy, cost, diversity and layers."""
    variant, seed = arguments.variant, arguments.seed
    method, ending = arguments.method, arguments.ending
    params = Params(variant)
    bench = Bench(params)
    spec = params.section(f"sup_tickets.ending.{ending}", EndingSpec)
    ticket = load_ended(bench, variant, seed, method, ending)
    resume.forget(resume.stage_name("ending", variant, seed, method, ending))
    cheap = [
        load_ended(bench, variant, seed, method, ending, paths.cheap(number + 1))
        for number in range(ticket.meta["cheap_tickets"])
    ]
    whose = {"method": method, "ending": ending}
    test_flops = ticket_flops(ticket, bench)
    row = whose | {
        "sup": spec.tickets > 0,
        "average": spec.average if spec.tickets else None,
        "cycle": spec.cycle if spec.tickets else None,
        "tickets": spec.tickets,
        "density": ticket.density,
        "digest": ticket.digest,
        "converged": ticket.meta["converged"],
        "test_flops": test_flops,
        "test_fraction": test_flops / flops(bench.model, bench.dataset.input_shape),
    }
    logits = {number: bench.predict(each, "test")[0] for number, each in enumerate(cheap, start=1)}
    averages = list(_averages(cheap, spec, bench, params, seed))
    write_rows(
        paths.rows("ending_scores", variant, seed, method, ending),
        bench.head("ending_scores", variant, seed, method=method, ending=ending),
        {
            "sup_tickets": [
                row | {"split": split} | asdict(bench.scores(ticket, split)) for split in _SPLITS
            ],
            "cheap_tickets": [
                whose | scores
                for each, average in zip(cheap, averages, strict=True)
                for scores in _cheap_rows(each, average, bench)
            ],
            "diversity": diversity_rows(logits, kind="cheap", **whose),
            "layer_density": layer_rows(ticket.mask, **whose, epoch=ticket.meta["epochs"]),
            "stages": [provenance("ending_scores", f"{method}-{ending}", bench.compute)],
        },
    )


def _averages(
    cheap: list[Ticket], spec: EndingSpec, bench: Bench, params: Params, seed: int
) -> Iterator[Ticket | None]:
    """The running average after each cheap ticket; None where a search ends the training."""
    if not cheap or spec.average == "search":
        yield from [None] * len(cheap)
        return
    again = spec.batch_norm == "re-estimate"
    images = calibration_images(bench, params, seed, spec.calibration_images) if again else []
    running = Superposition(spec.average, cheap[0].kept, spec.beta)
    for ticket in cheap:
        running.add(ticket)
        average = running.ticket
        yield re_estimate(average, bench.model, images, bench.compute) if again else average


def _cheap_rows(ticket: Ticket, average: Ticket | None, bench: Bench) -> Iterator[Row]:
    for split in _SPLITS:
        yield {
            "cheap": int(ticket.meta["part"].removeprefix("cheap-")),
            "epoch": ticket.meta["epochs"],
            "density": ticket.density,
            "digest": ticket.digest,
            "split": split,
            **asdict(bench.scores(ticket, split)),
            "average_accuracy": bench.scores(average, split).accuracy if average else None,
        }


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        method="sup_tickets.training",
        ending="sup_tickets.ending",
        code=("ending_scores", "networks/{variant}"),
    )
