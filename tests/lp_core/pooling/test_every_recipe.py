"""What holds for every way to pool, whatever the tickets and whatever the score says of them."""

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.pooling.averaging import ema, swa
from lp_core.pooling.choosing import best_of_all, successive_halving
from lp_core.pooling.greedy import PoolResult, search
from lp_core.pooling.soups import greedy_soup, uniform_soup
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import Sliced, coefficients, held_out
from tests.lp_core.strategies import families, nonzero, state, tickets

Family = list[Ticket]
Recipe = Callable[[Family, list[float], Sliced], PoolResult]


def _search(
    prune: str, choose: str, family: Family, pool: list[float], score: Sliced
) -> PoolResult:
    chosen = {"exact": best_of_all, "halving": successive_halving}[choose]
    return search(family[0], iter(family[1:]), pool, score, prune, chosen)


RECIPES: dict[str, Recipe] = {
    "swa": lambda family, *_: swa(family[0], iter(family[1:])),
    "ema": lambda family, *_: ema(family[0], iter(family[1:])),
    "greedy soup": lambda family, _, score: greedy_soup(family[0], family, score),
    "uniform soup": lambda family, *_: uniform_soup(family[0], family),
} | {
    f"search, pruned {prune}, {choose}": partial(_search, prune, choose)
    for prune, choose in product(["during", "after"], ["exact", "halving"])
}

# With infinities, NaN, and magnitudes beyond float32 when added, as diverged runs leave them.
wild = st.integers(1, 4).flatmap(
    lambda count: st.tuples(*(tickets(number=i) for i in range(count))).map(list)
)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@settings(deadline=None, max_examples=40)
@given(family=families() | wild, pool=coefficients, score=held_out)
def test_no_recipe_adds_weights_or_changes_its_inputs(recipe, family, pool, score):
    target = family[0]
    before = [state(ticket) for ticket in family]
    result = recipe(family, pool, score)
    assert [state(ticket) for ticket in family] == before
    assert nonzero(result.ticket) <= target.kept
    assert result.ticket.kept == target.kept
    assert all(
        not result.ticket.weights[name][~mask].any() for name, mask in result.ticket.mask.items()
    )
    assert state(recipe(family, pool, score).ticket) == state(result.ticket)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@settings(deadline=None, max_examples=20)
@given(family=families(), pool=coefficients, score=held_out)
def test_a_pooled_ticket_says_whose_place_it_takes(recipe, family, pool, score):
    target = family[0]
    target.meta = target.meta | {"accuracy": 0.5, "batch_norm": "trained"}
    result = recipe(family, pool, score)
    known = target.meta | {"batch_norm": result.ticket.meta.get("batch_norm")}
    assert result.ticket.meta | {"batch_norm": known["batch_norm"]} == known
    assert 0 not in result.members
    accepted = {step.candidate for step in result.trace if step.accepted}
    assert set(result.members) == accepted - {0}
