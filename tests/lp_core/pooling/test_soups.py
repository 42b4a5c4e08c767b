"""The soups against Recipe 1 of Wortsman et al. 2022, written once more in whole numbers."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from lp_core.pooling.coefficients import HeldOutScore
from lp_core.pooling.recipes.greedy_soup import GreedySoup
from lp_core.pooling.recipes.uniform_soup import UniformSoup
from lp_core.pooling.result import PoolResult, Step
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import Sliced, Unsliced, accepted, accuracies, random_ticket
from tests.lp_core.strategies import PRUNABLE, families, state

Whole = dict[str, np.ndarray]
# The mean of up to five whole numbers is a whole number of sixtieths: float32 rounds the running
# mean, but not so far that it would be taken for another.
_SIXTIETHS = 60


def greedy_soup(run: list[Ticket], score: HeldOutScore) -> PoolResult:
    """Of the target, the first of the run, and its siblings."""
    return GreedySoup().pool(run[0], run[1:], score)


def uniform_soup(run: list[Ticket]) -> PoolResult:
    return UniformSoup().pool(run[0], run[1:], Unsliced(lambda _: 0.0))


@st.composite
def runs(draw: st.DrawFn) -> list[Ticket]:
    """The target and up to four siblings of any densities; their weights are whole numbers, of so
    wide a range that few tie."""
    family = draw(families())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for ticket in family:
        for name, weight in ticket.weights.items():
            drawn = torch.tensor(random.integers(-4000, 4001, weight.shape), dtype=torch.float32)
            ticket.weights[name] = drawn.where(ticket.mask.get(name, torch.tensor(True)), 0.0)
    return family


def sixtieths(ticket: Ticket) -> Whole:
    return {
        name: (weight.double() * _SIXTIETHS).round().long().numpy()
        for name, weight in ticket.weights.items()
    }


def mean(soup: list[Whole]) -> Whole:
    return {n: np.sum([weights[n] for weights in soup], axis=0) // len(soup) for n in soup[0]}


def magnitude_pruning(weights: Whole, keep: int) -> Whole:
    places = [(n, i) for n in PRUNABLE for i in range(weights[n].size)]
    places.sort(key=lambda place: -abs(weights[place[0]].flat[place[1]]))
    sizes = [abs(weights[name].flat[index]) for name, index in places]
    if keep < len(places) and sizes[keep - 1] == sizes[keep] > 0:
        reject()  # rounding of the running mean would decide which of the two goes
    pruned = {name: weight.copy() for name, weight in weights.items()}
    for name, index in places[keep:]:
        pruned[name].flat[index] = 0
    return pruned


def accuracy_of(levels: int, salt: int) -> Callable[[Whole], float]:
    def accuracy(weights: Whole) -> float:
        parts = [str(salt).encode(), *(weights[name].tobytes() for name in sorted(weights))]
        digest = hashlib.sha256(b"".join(parts)).digest()
        return int.from_bytes(digest[:4], "big") % levels / levels

    return accuracy


scores = st.builds(accuracy_of, st.sampled_from([1, 2, 3, 7, 1000]), st.integers(0, 10**6))


def recipe_1(
    models: list[Whole], accuracy: Callable[[Whole], float], keep: int
) -> tuple[Whole, list[Step]]:
    """With ValAcc of a soup read as that of the soup pruned to the target's density."""

    def val_acc(ingredients: list[int]) -> float:
        return accuracy(magnitude_pruning(mean([models[i] for i in ingredients]), keep))

    ranking = sorted((-val_acc([i]), i) for i in range(len(models)))
    ingredients: list[int] = []
    trace = []
    for number, (_, i) in enumerate(ranking, start=1):
        found = val_acc([*ingredients, i])
        taken = not ingredients or found >= val_acc(ingredients)
        share = len(ingredients) / (len(ingredients) + 1)
        trace.append(Step(number, i, share, found, 0, taken))
        ingredients += [i] if taken else []
    return magnitude_pruning(mean([models[i] for i in ingredients]), keep), trace


def same(ticket: Ticket, weights: Whole) -> bool:
    return all(np.array_equal(array, weights[name]) for name, array in sixtieths(ticket).items())


@settings(deadline=None, max_examples=150)
@given(run=runs(), accuracy=scores)
def test_the_greedy_soup_is_recipe_1_ticket_by_ticket(run, accuracy):
    weights, trace = recipe_1([sixtieths(t) for t in run], accuracy, run[0].kept)
    result = greedy_soup(run, Unsliced(lambda t: accuracy(sixtieths(t))))
    assert result.trace == trace
    assert same(result.ticket, weights)
    assert result.members == [step.candidate for step in trace if step.accepted]


@settings(deadline=None, max_examples=60)
@given(run=runs())
def test_the_uniform_soup_is_the_plain_mean_of_all_pruned(run):
    result = uniform_soup(run)
    weights = magnitude_pruning(mean([sixtieths(ticket) for ticket in run]), run[0].kept)
    assert same(result.ticket, weights)
    means = np.mean([t.buffers["bn.running_mean"].double().numpy() for t in run], axis=0)
    np.testing.assert_allclose(result.ticket.buffers["bn.running_mean"], means, atol=1e-5)
    assert [step.candidate for step in result.trace] == list(range(len(run)))
    assert [step.coefficient for step in result.trace] == [n / (n + 1) for n in range(len(run))]
    assert all(s.accepted and s.val_accuracy is None and s.images == 0 for s in result.trace)
    assert result.members == list(range(len(run)))


@settings(deadline=None, max_examples=40)
@given(run=runs())
def test_a_greedy_soup_that_nothing_spoils_is_the_uniform_soup(run):
    greedy = greedy_soup(run, Unsliced(lambda _: 0.5))
    assert state(greedy.ticket) == state(uniform_soup(run).ticket)


@settings(deadline=None, max_examples=40)
@given(run=families(), salt=st.integers(0, 10**6), sizes=st.lists(st.integers(1, 20), min_size=1))
def test_the_trace_tells_the_accuracy_that_the_soup_has(run, salt, sizes):
    score = Sliced(accuracies(1000, salt), sizes)
    result = greedy_soup(run, score)
    taken = accepted(result)
    assert taken[-1] == score(result.ticket)
    assert taken == sorted(taken)
    assert all(step.images == sum(sizes) for step in result.trace)


def test_statistics_are_marked_where_weights_were_removed_and_nowhere_else():
    run = [random_ticket(seed, density) for seed, density in ((0, 0.5), (1, 0.9), (2, 0.2))]

    def alone(best: int) -> HeldOutScore:
        """One ticket is right, as long as it is alone."""
        known = run[best].weights["bias"]
        return Unsliced(lambda ticket: float(torch.equal(ticket.weights["bias"], known)))

    target, denser, sparser = (greedy_soup(run, alone(i)) for i in range(3))
    assert [r.trace[0].candidate for r in (target, denser, sparser)] == [0, 1, 2]
    assert all(sum(s.accepted for s in r.trace) == 1 for r in (target, denser, sparser))
    assert state(target.ticket) == state(run[0])
    assert [r.members for r in (target, denser, sparser)] == [[0], [1], [2]]
    assert denser.ticket.meta == {"ticket": 0, "batch_norm": "averaged"}
    # Nothing had to go: the sparser ticket as it is, under a mask of the target's size.
    assert sparser.ticket.meta == {"ticket": 0}
    assert torch.equal(sparser.ticket.weights["conv"], run[2].weights["conv"])
    assert sparser.ticket.kept == run[0].kept > int(run[2].weights["conv"].count_nonzero())
    assert greedy_soup(run, Unsliced(lambda _: 1.0)).ticket.meta["batch_norm"] == "averaged"
