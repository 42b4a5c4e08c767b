"""The listed tickets belong together: the last one says what the others must be."""

import pytest

from lp_core.errors import InputError
from lp_core.tickets import Ticket
from tasks.kit import paths
from tasks.kit.params import Params
from tasks.kit.trail import Trail

pytestmark = pytest.mark.usefixtures("root")


def _trail() -> Trail:
    return Trail(Params("base"), "base", 0)


def test_every_listed_ticket_is_loaded_by_its_number() -> None:
    trail = _trail()
    assert [trail.load(number).meta["ticket"] for number in trail.numbers] == [0, 1, 2]
    assert trail.converged() == [0, 1, 2]


@pytest.mark.parametrize("change", ["weights", "converged"])
def test_a_ticket_that_is_not_the_last_ones_ancestor_is_refused(change: str) -> None:
    path = paths.ticket("base", 0, 1)
    ticket = Ticket.load(path)
    if change == "weights":
        next(iter(ticket.weights.values())).view(-1)[0] += 1
    else:
        ticket.meta["converged"] = False
    ticket.save(path)
    trail = _trail()
    trail.load(0)
    for read in (lambda: trail.load(1), trail.converged):
        with pytest.raises(InputError, match=r"1\.safetensors: not the ticket that .*2\.safet"):
            read()


def test_a_missing_ticket_is_named() -> None:
    paths.ticket("base", 0, 2).unlink()
    with pytest.raises(InputError, match=r"2\.safetensors"):
        _trail()
