"""What the soups of Wortsman et al. 2022 have in common.

A soup is the plain mean of whole networks, so it stays unpruned while it grows; it is pruned to
the target's density to be scored, and at the end.
"""

from dataclasses import replace

from lp_core.pooling.interpolation import prune
from lp_core.tickets import Ticket


def pruned_to(ticket: Ticket, keep: int) -> Ticket:
    """The ticket under a mask that keeps `keep` weights.

    Where a weight went, batch-norm statistics are as wrong as those of a mean, and marked alike.
    """
    if ticket.kept == keep:
        return ticket
    pruned = prune(ticket, keep)
    if _nonzero(pruned) < _nonzero(ticket):
        pruned.meta = pruned.meta | {"batch_norm": "averaged"}
    return pruned


def in_place_of(target: Ticket, soup: Ticket) -> Ticket:
    """The soup with the target's `meta`, whatever its first ingredient was; only what its
    batch-norm statistics are is its own."""
    norm = "batch_norm"
    meta = {key: value for key, value in target.meta.items() if key != norm}
    return replace(soup, meta=meta | ({norm: soup.meta[norm]} if norm in soup.meta else {}))


def number_of(ticket: Ticket, position: int) -> int:
    """A ticket's number; one that has none is numbered by its position: 0 for the target."""
    number: int = ticket.meta.get("ticket", position)
    return number


def _nonzero(ticket: Ticket) -> int:
    return sum(int(ticket.weights[name].count_nonzero()) for name in ticket.mask)
