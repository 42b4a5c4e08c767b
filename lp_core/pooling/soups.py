"""The soups of Wortsman et al. 2022, cooked from the tickets of one run for one of their densities.

A soup is the plain mean of whole networks, so it stays unpruned while it grows; it is pruned to
the target's density to be scored, and at the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lp_core.pooling.greedy import PoolResult, Step
from lp_core.pooling.interpolation import interpolate, prune
from lp_core.tickets import Ticket


def uniform_soup(target: Ticket, tickets: Sequence[Ticket]) -> PoolResult:
    """The mean of all tickets, pruned to the target's density (Wortsman et al. 2022, section 2).

    tickets: all of the run, the target among them, nearest first; loaded one at a time. In the
    trace, `coefficient` is the weight of the mean so far. The inputs are not changed.
    """
    kept, meta = target.kept, target.meta
    del target  # or it would be a copy more, where the caller has let go of it
    soup = tickets[0]
    trace = [Step(1, _number(soup, 0), 0.0, None, 0, True)]
    for n in range(1, len(tickets)):
        newcomer, share = tickets[n], n / (n + 1)
        trace.append(Step(n + 1, _number(newcomer, n), share, None, 0, True))
        soup = interpolate(soup, newcomer, share, keep=soup.prunable)
        del newcomer  # before the next is loaded
    return PoolResult(_in_place_of(meta, _to_density(soup, kept)), trace)


def greedy_soup(
    target: Ticket, tickets: Sequence[Ticket], score: Callable[[Ticket], float]
) -> PoolResult:
    """The mean of those tickets that do not hurt `score` (Wortsman et al. 2022, Recipe 1).

    tickets: all of the run, the target among them, nearest first. Each is loaded twice and let go
    of: no more than three copies of the weights are needed (the soup, the larger one, and that
    one pruned). They are tried by falling held-out accuracy, each pruned to the target's density;
    where two are equally accurate, in the order given. A ticket stays in if the mean with it,
    pruned, is at least as accurate as the best so far. The target need not be in its own soup.
    score: held-out accuracy 0–1 of a ticket. Never the test split's.

    In the trace, `coefficient` is the weight of the mean so far: 0 for the first ticket. The
    inputs are not changed. A soup of tickets sparser than the target may have fewer non-zero
    weights than its mask keeps, never more.
    """
    kept, meta = target.kept, target.meta
    del target  # as above
    alone = [score(_to_density(ticket, kept)) for ticket in tickets]
    first, *others = sorted(range(len(tickets)), key=lambda i: -alone[i])
    images = sum(len(piece) for piece in getattr(score, "slices", []))
    soup, members, best = tickets[first], 1, alone[first]
    trace = [Step(1, _number(soup, first), 0.0, best, images, True)]
    for step, i in enumerate(others, start=2):
        newcomer, share = tickets[i], members / (members + 1)
        number = _number(newcomer, i)
        larger = interpolate(soup, newcomer, share, keep=soup.prunable)
        del newcomer  # before there is a pruned copy
        accuracy = score(_to_density(larger, kept))
        accepted = accuracy >= best
        trace.append(Step(step, number, share, accuracy, images, accepted))
        if accepted:
            soup, members, best = larger, members + 1, accuracy
        del larger  # before the next is loaded
    return PoolResult(_in_place_of(meta, _to_density(soup, kept)), trace)


def _to_density(ticket: Ticket, kept: int) -> Ticket:
    """The ticket with a mask of `kept` weights.

    Where a weight went, batch-norm statistics are as wrong as those of a mean, and marked alike.
    """
    if ticket.kept == kept:
        return ticket
    pruned = prune(ticket, kept)
    if _nonzero(pruned) < _nonzero(ticket):
        pruned.meta = pruned.meta | {"batch_norm": "averaged"}
    return pruned


def _nonzero(ticket: Ticket) -> int:
    return sum(int(ticket.weights[name].count_nonzero()) for name in ticket.mask)


def _in_place_of(target: dict[str, Any], soup: Ticket) -> Ticket:
    # The soup stands in for the target, whatever its first ingredient was; only what batch norm
    # needs is the soup's own.
    norm = "batch_norm"
    meta = {key: value for key, value in target.items() if key != norm}
    return replace(soup, meta=meta | ({norm: soup.meta[norm]} if norm in soup.meta else {}))


def _number(ticket: Ticket, place: int) -> int:
    return ticket.meta.get("ticket", place + 1)
