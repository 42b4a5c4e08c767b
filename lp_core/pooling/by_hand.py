"""Tickets averaged by hand: the steps of pooling, their arguments checked for whoever calls them.

A search interpolates tickets that were checked once, thousands of times. So it calls
`lp_core.pooling.interpolation`, and training calls `Superposition`; neither checks what costs time.
"""

from collections.abc import Iterable
from numbers import Integral, Real

from lp_core.errors import InputError, kind
from lp_core.interchange import require_sound
from lp_core.pooling import interpolation
from lp_core.pooling.superposition import Method, Superposition
from lp_core.tickets import Ticket


def interpolate(a: Ticket, b: Ticket, alpha: float, keep: int) -> Ticket:
    """alpha·a + (1 − alpha)·b, of which the `keep` largest prunable weights survive.

    a, b: tickets of one architecture; neither is changed. alpha: 0–1, the weight of `a`.
    keep: number of prunable weights in the result (the target ticket's `.kept`).

    Every parameter is interpolated, pruned or not. So are the batch-norm statistics, which are
    wrong for the new network as means of means usually are: `meta["batch_norm"]` says
    `averaged`, and `HeldOut.calibrate` re-estimates them.

    Raises InputError where the tickets' tensors differ in names or shapes, are not finite, or do
    not fit their masks; where alpha is not between 0 and 1, and where `keep` is negative or above
    the number of prunable weights.
    """
    for name, ticket in (("a", a), ("b", b)):
        require_sound(ticket, name)
    _require_number("alpha", alpha)
    _require_whole("keep", keep)
    return interpolation.interpolate(a, b, alpha, keep)


def superpose(tickets: Iterable[Ticket], method: Method, keep: int, beta: float = 0.8) -> Ticket:
    """The tickets' running average, pruned to `keep` prunable weights after every one of them.

    tickets: in the order in which they were made; consumed one at a time. Not changed. For the
    other arguments, and for batch norm, see `Superposition`.

    Raises InputError as `Superposition` does, where there is no ticket at all, and where a ticket's
    tensors are not finite or do not fit its mask.
    """
    if isinstance(tickets, Ticket) or not isinstance(tickets, Iterable):
        raise InputError(f"tickets is {kind(tickets)}; give a list of tickets")
    _require_whole("keep", keep)
    _require_number("beta", beta)
    running = Superposition(method, keep, beta)
    for position, ticket in enumerate(tickets):
        require_sound(ticket, f"tickets[{position}]")
        running.add(ticket)
    return running.ticket


def _require_number(name: str, value: object) -> None:
    if not isinstance(value, Real):
        raise InputError(f"{name} is {kind(value)}; give a number between 0 and 1")


def _require_whole(name: str, value: object) -> None:
    if not isinstance(value, Integral):
        raise InputError(f"{name} is {kind(value)}; give a whole number, such as a ticket's kept")
