"""Stages `ood` and `ood_pool`: tickets and pooled tickets on every corruption and severity.

Without `--method` the unpooled tickets (in the table: method `ticket`). Each method is a stage of
its own, so that one more method evaluates that method alone.
"""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from lp_core.data.corrupted import corrupted_labels, corrupted_sets
from lp_core.data.loading import EVAL_BATCH, normalised_batches
from lp_core.tickets import Ticket
from lp_core.training.evaluation import evaluate
from tasks.kit import paths
from tasks.kit.bench import Network
from tasks.kit.cli import progress, run
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows


def main(arguments: Namespace) -> None:
    """Evaluate every ticket of one method on every corrupted set."""
    variant, seed = arguments.variant, arguments.seed
    method = arguments.method or "ticket"
    network = Network(Params(variant))
    folder = paths.corrupted(network.dataset.name)
    labels = corrupted_labels(folder)
    rows: list[dict[str, Any]] = []
    for number in progress(network.numbers, f"ood@{variant}-{seed}-{method}"):
        path = paths.ticket(variant, seed, number)
        if arguments.method:
            path = paths.pooled(variant, seed, method, number)
        ticket = Ticket.load(path)
        ticket.load_into(network.model)
        about = {"method": method, "ticket": number, "density": ticket.density}
        for corruption, severity, images in corrupted_sets(folder):
            batches = normalised_batches(
                images,
                labels,
                network.dataset.mean,
                network.dataset.std,
                EVAL_BATCH,
                network.compute.device,
            )
            scores = evaluate(network.model, batches, network.compute)
            rows.append(about | {"corruption": corruption, "severity": severity} | asdict(scores))
    ran = provenance("ood", method, network.compute)
    write_rows(paths.rows("ood", variant, seed, method), {"ood": rows, "stages": [ran]})


if __name__ == "__main__":
    run(main, "variant", "seed", optional=("method",))
