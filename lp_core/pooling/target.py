"""One ticket of a run made stronger from its siblings, and what the pooled one says of itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from lp_core.compute import Compute
from lp_core.pooling.coefficients import HeldOutScore
from lp_core.pooling.recipe import Recipe, nearest
from lp_core.pooling.result import PoolResult
from lp_core.tickets import Ticket

# What a pooled ticket has in common with its target; accuracies, say, are its own.
_OF_RUN = ("dataset", "model", "network", "variant", "seed", "init_seed", "noise_seed")
_LINEAGE = (*_OF_RUN, "ticket")


def pool_target(
    number: int,
    siblings: Iterable[int],
    load: Callable[[int], Ticket],
    recipe: Recipe,
    score: HeldOutScore,
    method: str,
    compute: Compute,
) -> PoolResult:
    """A ticket pooled with its nearest siblings, with the statistics that it is judged with.

    number: of the target. siblings: numbers of tickets that may be another's sibling, the target's
    own among them or not. load: gives the ticket of a number. method: what the recipe is called.

    Never more than five copies of the weights are on the device, whatever the number of tickets.
    """
    order = [number, *nearest(number, siblings, recipe.candidates)]
    tickets = OnDevice(load, order, compute)
    result = recipe.pool(tickets[0], tickets[1:], score)
    return replace(result, ticket=_named(score.calibrate(result.ticket), method, result.members))


class OnDevice(Sequence[Ticket]):
    """Tickets in the order of their numbers, each loaded when it is asked for and kept nowhere."""

    def __init__(
        self, load: Callable[[int], Ticket], numbers: Sequence[int], compute: Compute
    ) -> None:
        """load: gives the ticket of a number."""
        self._load, self._numbers, self._compute = load, numbers, compute

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Ticket]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Ticket: ...

    @overload
    def __getitem__(self, index: slice) -> "OnDevice": ...

    def __getitem__(self, index: int | slice) -> "Ticket | OnDevice":
        if isinstance(index, slice):
            return OnDevice(self._load, self._numbers[index], self._compute)
        ticket = self._load(self._numbers[index])
        return ticket.to(self._compute.device, self._compute.layout)


def _named(ticket: Ticket, method: str, members: list[int]) -> Ticket:
    """The pooled ticket with its own meta: what it inherits, and how it came about."""
    lineage = {key: value for key, value in ticket.meta.items() if key in _LINEAGE}
    own = {
        "method": method,
        "members": members,
        "density": ticket.density,
        "batch_norm": ticket.meta.get("batch_norm", "trained"),
    }
    return Ticket(ticket.weights, ticket.mask, ticket.buffers, lineage | own)
