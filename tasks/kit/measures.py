"""What is measured alike on tickets and pooled tickets: corrupted images, FLOPs."""

from dataclasses import asdict

from lp_core.analysis.flops import flops
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


def ticket_flops(ticket: Ticket, bench: Bench) -> int:
    """Floating-point operations for one image."""
    return flops(bench.model, bench.dataset.input_shape, ticket.mask)


def ticket_parameters(ticket: Ticket) -> int:
    """Parameters of the network that are not pruned."""
    return sum(w.numel() for w in ticket.weights.values()) - (ticket.prunable - ticket.kept)
