"""A ticket on the corrupted test images: the same for tickets and pooled tickets."""

from dataclasses import asdict

from lp_core.data.corrupted import corrupted_labels, corrupted_sets
from lp_core.tickets import Ticket
from lp_core.training.evaluation import scores
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.rows import Row


def corrupted_rows(ticket: Ticket, bench: Bench) -> list[Row]:
    """Scores on every corruption and severity: rows of the table `ood`, but for whose they are."""
    folder = paths.corrupted(bench.dataset.name)
    labels = corrupted_labels(folder)
    rows = []
    for corruption, severities, images in corrupted_sets(folder):
        # All severities in one go: small sets would leave most of each batch empty.
        logits, _ = bench.predict_on(ticket, images, labels.repeat(len(severities)))
        for severity, part in zip(severities, logits.split(len(labels)), strict=True):
            row = {"corruption": corruption, "severity": severity}
            rows.append(row | asdict(scores(part, labels)))
    return rows
