"""What holds for every way to pool, whatever the tickets and whatever the score says of them."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core import faces
from lp_core.pooling.averaging import RunningAverage
from lp_core.pooling.coefficients import exhaustive, successive_halving
from lp_core.pooling.recipe import Recipe
from lp_core.pooling.recipes.ema import Ema
from lp_core.pooling.recipes.ema_newcomer import EmaNewcomer
from lp_core.pooling.recipes.greedy_soup import GreedySoup
from lp_core.pooling.recipes.search import Search
from lp_core.pooling.recipes.swa import Swa
from lp_core.pooling.recipes.uniform_soup import UniformSoup
from lp_core.pooling.spec import RECIPES
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import Loading, Sliced, coefficients, held_out, random_ticket
from tests.lp_core.strategies import families, nonzero, state, tickets

OF_EVERY_KIND = [
    Swa(),
    Ema(),
    Search(),
    Search(prune="after"),
    EmaNewcomer(),
    GreedySoup(),
    UniformSoup(),
]
# Settings with which somebody has no weight.
AT_THEIR_ENDS = [Ema(decay=0.0), Ema(decay=1.0), EmaNewcomer(weight=0.0), EmaNewcomer(weight=1.0)]

every_recipe = pytest.mark.parametrize("recipe", OF_EVERY_KIND, ids=str)
both_searches = pytest.mark.parametrize("best_coefficient", [exhaustive, successive_halving])

# With infinities, NaN, and magnitudes beyond float32 when added, as diverged runs leave them.
wild = st.integers(1, 4).flatmap(
    lambda count: st.tuples(*(tickets(number=i) for i in range(count))).map(list)
)


def test_every_recipe_of_the_registry_is_tested_here():
    assert {type(recipe) for recipe in OF_EVERY_KIND} == {
        faces.member(RECIPES, name) for name in faces.names(RECIPES)
    }


def _with(recipe: Recipe, pool: list[float]) -> Recipe:
    known = [alpha for alpha in dict.fromkeys(pool) if alpha < 1]
    return replace(recipe, coefficients=known) if known and isinstance(recipe, Search) else recipe


@every_recipe
@both_searches
@settings(deadline=None, max_examples=20)
@given(family=families() | wild, pool=coefficients, score=held_out)
def test_no_recipe_adds_weights_or_changes_its_inputs(
    recipe, best_coefficient, family, pool, score
):
    target, *siblings = family
    recipe, score.best_coefficient = _with(recipe, pool), best_coefficient
    before = [state(ticket) for ticket in family]
    result = recipe.pool(target, siblings, score)
    assert [state(ticket) for ticket in family] == before
    assert nonzero(result.ticket) <= target.kept
    assert result.ticket.kept == target.kept
    assert all(
        not result.ticket.weights[name][~mask].any() for name, mask in result.ticket.mask.items()
    )
    assert state(recipe.pool(target, siblings, score).ticket) == state(result.ticket)


@every_recipe
@settings(deadline=None, max_examples=20)
@given(family=families(), pool=coefficients, score=held_out)
def test_a_pooled_ticket_says_whose_place_it_takes(recipe, family, pool, score):
    target, *siblings = family
    target.meta = target.meta | {"accuracy": 0.5, "batch_norm": "trained"}
    result = _with(recipe, pool).pool(target, siblings, score)
    known = target.meta | {"batch_norm": result.ticket.meta.get("batch_norm")}
    assert result.ticket.meta | {"batch_norm": known["batch_norm"]} == known


@pytest.mark.parametrize("recipe", [*OF_EVERY_KIND, *AT_THEIR_ENDS], ids=str)
@both_searches
@settings(deadline=None, max_examples=30)
@given(pool=coefficients, score=held_out, count=st.integers(1, 6), named=st.booleans())
def test_members_are_the_tickets_whose_weights_are_in_the_pooled_one(
    recipe, best_coefficient, pool, score, count, named
):
    """Each ticket's biases, which nothing prunes, are 1 in a place of its own: its share."""
    family = [random_ticket(number, (number + 3) / 10) for number in range(count)]
    for number, ticket in enumerate(family):
        ticket.weights["bias"] = torch.eye(7)[number]
        ticket.meta = {"ticket": number} if named else {}
    score.best_coefficient = best_coefficient
    result = _with(recipe, pool).pool(family[0], family[1:], score)
    shares = result.ticket.weights["bias"]
    assert sorted(result.members) == [n for n, share in enumerate(shares.tolist()) if share > 0]
    assert shares.sum().item() == pytest.approx(1)


@every_recipe
@settings(deadline=None, max_examples=10)
@given(family=families(), score=held_out, count=st.integers(1, 5))
def test_a_recipe_draws_on_as_many_siblings_as_its_settings_say(recipe, family, score, count):
    target, *siblings = family
    limited = replace(recipe, candidates=count).pool(target, siblings, score)
    nearest = recipe.pool(target, siblings[:count], score)
    assert limited.trace == nearest.trace
    assert state(limited.ticket) == state(nearest.ticket)


@every_recipe
@both_searches
@pytest.mark.parametrize("accepting", [True, False])
def test_there_are_at_most_five_copies_of_the_weights_whatever_the_number_of_tickets(
    recipe, best_coefficient, accepting, weights_alive
):
    counts: list[int] = []
    siblings = Loading(range(1, 13), lambda: counts.append(weights_alive()))

    class Counting(Sliced):
        """The target is right about everything, others only where all is to be accepted."""

        def correct_and_loss(self, ticket: Ticket, _: int) -> tuple[int, float]:
            counts.append(weights_alive())
            return (5 if accepting or ticket.meta == {"ticket": 0} else 1), 0.0

    score = Counting(lambda _: 0.0, [5, 5, 5], best_coefficient)
    result = recipe.pool(random_ticket(0, 0.3), siblings, score)
    assert len(counts) >= 12
    assert max(counts) <= 5
    takes_all = accepting or isinstance(recipe, RunningAverage | UniformSoup)
    assert (len(result.members) > 1) == takes_all
    del result
    assert weights_alive() == 0
