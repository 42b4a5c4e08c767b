"""A ticket on the corrupted test images: the same for tickets and pooled tickets."""

from dataclasses import asdict

from lp_core.data.corrupted import corrupted_labels, corrupted_sets
from lp_core.tickets import Ticket
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.rows import Row


def corrupted_rows(ticket: Ticket, bench: Bench) -> list[Row]:
    """Scores on every corruption and severity: rows of the table `ood`, but for whose they are."""
    folder = paths.corrupted(bench.dataset.name)
    labels = corrupted_labels(folder)
    return [
        {"corruption": corruption, "severity": severity}
        | asdict(bench.scores_on(ticket, images, labels))
        for corruption, severity, images in corrupted_sets(folder)
    ]
