"""Untrained networks: a ticket at the rewind point, and the same with its mask permuted (SGD noise,
section 5.1)."""

from typing import Literal

from lp_core.sparsity.random_draws import permuted_masks
from lp_core.tickets import Ticket
from tasks.kit.starts import REWIND, start_point, under

Untrained = Literal["ticket", "permuted"]


def untrained(variant: str, seed: int, number: int, network: Untrained) -> Ticket:
    """A ticket's mask, or one that keeps as many weights of each layer at places drawn by `seed`,
    on the weights of the rewind point. On the CPU; of the rewind point's meta.

    Ticket 0 keeps every weight: it is the dense network, however it is permuted. Raises
    DamagedError where another ticket lies in the place of either.
    """
    ticket = start_point(variant, seed, number)
    if network == "ticket":
        return ticket
    return under(start_point(variant, seed, REWIND), permuted_masks(ticket.mask, seed))
