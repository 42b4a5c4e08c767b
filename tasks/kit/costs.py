"""What a ticket costs to run."""

from lp_core.analysis.flops import flops
from lp_core.tickets import Ticket
from tasks.kit.bench import Bench


def ticket_flops(ticket: Ticket, bench: Bench) -> int:
    """Floating-point operations for one image."""
    return flops(bench.model, bench.dataset.input_shape, ticket.mask)


def ticket_parameters(ticket: Ticket) -> int:
    """Parameters of the network that are not pruned."""
    return sum(w.numel() for w in ticket.weights.values()) - (ticket.prunable - ticket.kept)
