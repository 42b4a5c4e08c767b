"""The greedy search against Algorithms 2 and 3, written once more in plain loops."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.pooling.coefficients import successive_halving
from lp_core.pooling.greedy import search
from lp_core.pooling.interpolation import interpolate
from lp_core.pooling.recipe import nearest
from lp_core.pooling.result import Step
from lp_core.tickets import Ticket
from tests.lp_core.pooling.made_up import (
    Accuracy,
    Sliced,
    Weights,
    accuracies,
    coefficients,
    held_out,
    plain,
    random_ticket,
    scores,
)
from tests.lp_core.strategies import PRUNABLE, families, state


def magnitude_pruning(weights: Weights, keep: int) -> Weights:
    places = [(n, i) for n in PRUNABLE for i in range(weights[n].size)]
    places.sort(key=lambda place: -abs(weights[place[0]].flat[place[1]]))  # stable
    pruned = {name: weight.copy() for name, weight in weights.items()}
    for name, index in places[keep:]:
        pruned[name].flat[index] = 0
    return pruned


def mixture(a: Weights, b: Weights, alpha: float) -> Weights:
    return {n: np.float32(alpha) * a[n] + np.float32(1 - alpha) * b[n] for n in a}


def algorithm_2(
    target: Weights, candidates: list[Weights], pool: Sequence[float], accuracy: Accuracy, keep: int
) -> tuple[Weights, list[Step]]:
    best, trace = target, []
    for number, candidate in enumerate(candidates, start=1):
        best_alpha, best_accuracy, tried = -1.0, -1.0, []
        for alpha in pool:
            found = accuracy(magnitude_pruning(mixture(best, candidate, alpha), keep))
            tried.append((alpha, found))
            if found > best_accuracy:
                best_alpha, best_accuracy = alpha, found
        interpolated = magnitude_pruning(mixture(best, candidate, best_alpha), keep)
        accepted = accuracy(interpolated) >= accuracy(best)
        first = pool.index(best_alpha)
        trace += [
            Step(number, number, alpha, found, 0, accepted and i == first)
            for i, (alpha, found) in enumerate(tried)
        ]
        if accepted:
            best = interpolated
    return best, trace


def algorithm_3(
    target: Weights, candidates: list[Weights], accuracy: Accuracy, keep: int
) -> tuple[Weights, list[Step]]:
    best, trace = target, []
    for number, candidate in enumerate(candidates, start=1):
        average = {n: (best[n] + candidate[n]) / np.float32(2) for n in best}
        average = magnitude_pruning(average, keep)
        accepted = accuracy(average) >= accuracy(best)
        trace.append(Step(number, number, 0.5, accuracy(average), 0, accepted))
        if accepted:
            best = average
    return best, trace


def same(ticket: Ticket, weights: Weights) -> bool:
    return all(np.array_equal(array, weights[name]) for name, array in plain(ticket).items())


@settings(deadline=None, max_examples=120)
@given(family=families(), pool=coefficients, accuracy=scores)
def test_the_search_is_algorithm_2_coefficient_by_coefficient(family, pool, accuracy):
    target, *candidates = family
    arrays = [plain(ticket) for ticket in candidates]
    weights, trace = algorithm_2(plain(target), arrays, pool, accuracy, target.kept)
    result = search(target, iter(candidates), pool, lambda t: accuracy(plain(t)))
    assert result.trace == trace
    assert same(result.ticket, weights)
    accepted = [step for step in trace if step.accepted]
    if all(step.coefficient > 0 for step in accepted):
        taken_in = [step.candidate for step in accepted if step.coefficient < 1]
        assert result.members == [0, *taken_in]


@settings(deadline=None, max_examples=60)
@given(family=families(), accuracy=scores)
def test_with_one_half_alone_the_search_is_algorithm_3(family, accuracy):
    target, *candidates = family
    arrays = [plain(ticket) for ticket in candidates]
    weights, trace = algorithm_3(plain(target), arrays, accuracy, target.kept)
    result = search(target, iter(candidates), [0.5], lambda t: accuracy(plain(t)))
    assert result.trace == trace
    assert same(result.ticket, weights)


@settings(deadline=None, max_examples=60)
@given(family=families(), pool=coefficients, accuracy=scores)
def test_pruned_after_the_search_sees_unpruned_mixtures(family, pool, accuracy):
    target, *candidates = family
    arrays = [plain(ticket) for ticket in candidates]
    weights, trace = algorithm_2(plain(target), arrays, pool, accuracy, target.prunable)
    result = search(target, iter(candidates), pool, lambda t: accuracy(plain(t)), prune="after")
    assert result.trace == trace
    assert same(result.ticket, magnitude_pruning(weights, target.kept))
    assert result.ticket.kept == target.kept


@settings(deadline=None, max_examples=30)
@given(family=families(), pool=coefficients)
def test_a_search_that_accepts_nothing_returns_the_target(family, pool):
    target, *candidates = family
    before, first = state(target), [True]

    def only_the_target_is_right(_: Ticket) -> float:
        return 1.0 if first and first.pop() else 0.0

    for prune in ("during", "after"):
        first[:] = [True]
        result = search(target, iter(candidates), pool, only_the_target_is_right, prune)
        assert state(result.ticket) == before
        assert result.members == [0]


@settings(deadline=None, max_examples=60)
@given(family=families(), pool=coefficients, score=held_out)
def test_halving_reports_the_winners_whole_accuracy(family, pool, score):
    target, *candidates = family
    result = search(target, iter(candidates), pool, score, best_coefficient=successive_halving)
    whole = sum(score.sizes)
    accepted = [step for step in result.trace if step.accepted]
    assert all(step.images == whole for step in accepted)
    assert [step.images for step in result.trace].count(whole) >= len(candidates)
    if accepted:
        assert accepted[-1].val_accuracy == score(result.ticket)
    # Accuracy of the best so far never falls.
    climb = [score(target), *(step.val_accuracy for step in accepted)]
    assert climb == sorted(climb)


@settings(deadline=None, max_examples=60)
@given(family=families(), pool=coefficients, accuracy=scores, size=st.integers(1, 50))
def test_halving_over_one_slice_is_the_exact_search(family, pool, accuracy, size):
    target, *candidates = family
    score = Sliced(accuracy, [size])
    exact = search(target, iter(candidates), pool, score)
    halved = search(target, iter(candidates), pool, score, best_coefficient=successive_halving)
    assert halved.trace == exact.trace
    assert state(halved.ticket) == state(exact.ticket)


@settings(deadline=None, max_examples=60)
@given(
    family=families(),
    pool=coefficients,
    accuracy=scores,
    sizes=st.lists(st.integers(1, 124), min_size=1, max_size=4),
)
def test_on_fewer_than_500_images_halving_is_the_exact_search(family, pool, accuracy, sizes):
    target, *candidates = family
    score = Sliced(accuracy, sizes)
    exact = search(target, iter(candidates), pool, score)
    halved = search(target, iter(candidates), pool, score, best_coefficient=successive_halving)
    assert halved.trace == exact.trace
    assert state(halved.ticket) == state(exact.ticket)


@settings(deadline=None, max_examples=60)
@given(family=families(), pool=coefficients, score=held_out)
def test_no_coefficient_drops_out_of_a_halving_before_500_images(family, pool, score):
    target, *candidates = family
    result = search(target, iter(candidates), pool, score, best_coefficient=successive_halving)
    cuts = {total for total in accumulate(score.sizes) if total >= 500} | {sum(score.sizes)}
    assert {step.images for step in result.trace} <= cuts


POOL = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([625, 625, 1250, 2500], [5000] * 2 + [1250] * 2 + [625] * 7),
        # Too few in the first slice, or in the first two: they count as one.
        ([250, 250, 500, 1000], [2000] * 2 + [1000] * 2 + [500] * 7),
        ([249, 250, 501, 1000], [2000] * 4 + [1000] * 7),
        ([36, 36, 72, 144], [288] * 11),
    ],
)
def test_halving_keeps_a_third_of_the_coefficients_from_slice_to_slice(
    family_of_two, sizes, expected
):
    target, candidate = family_of_two
    score = Sliced(accuracies(1000, 0), sizes)
    result = search(target, [candidate], POOL, score, best_coefficient=successive_halving)
    assert sorted((step.images for step in result.trace), reverse=True) == expected


def test_halving_drops_by_loss_and_crowns_by_accuracy(family_of_two):
    target, candidate = family_of_two
    # By alpha: right answers and loss on each of two slices of 500 images.
    judged = {0.1: (9, 9.0), 0.3: (5, 1.0), 0.5: (6, 2.0), 0.7: (4, float("nan"))}

    class Score:
        slices = (range(500), range(500))

        def __call__(self, _: Ticket) -> float:
            return 0.0

        def calibrate(self, ticket: Ticket) -> Ticket:
            return ticket

        def correct_and_loss(self, ticket: Ticket, _: int) -> tuple[int, float]:
            made = {a: interpolate(target, candidate, a, target.kept) for a in judged}
            return next(judged[a] for a in judged if state(made[a]) == state(ticket))

    result = search(target, [candidate], list(judged), Score(), best_coefficient=successive_halving)
    assert [step.images for step in result.trace] == [500, 1000, 1000, 500]
    assert [step.coefficient for step in result.trace if step.accepted] == [0.5]


@pytest.fixture
def family_of_two() -> list[Ticket]:
    return [random_ticket(seed, density) for seed, density in ((0, 0.3), (1, 0.6))]


@given(tickets=st.lists(st.integers(0, 30), unique=True), data=st.data())
def test_siblings_come_nearest_first_the_denser_before_the_sparser(tickets, data):
    target = data.draw(st.sampled_from(tickets)) if tickets else 0
    order = nearest(target, tickets)
    assert sorted(order) == sorted(set(tickets) - {target})
    for earlier, later in pairwise(order):
        near, far = abs(earlier - target), abs(later - target)
        assert near < far or (near == far and earlier < later)
    count = data.draw(st.integers(1, 40))
    assert nearest(target, tickets, count) == order[:count]


def test_the_order_of_candidates_is_that_of_the_papers_example():
    assert nearest(3, range(7)) == [2, 4, 1, 5, 0, 6]


@given(wrong=st.just([]) | st.tuples(st.just(0.5), st.floats().filter(lambda x: not 0 <= x <= 1)))
def test_a_search_without_coefficients_or_with_impossible_ones_is_an_error(wrong):
    scored: list[Ticket] = []

    def score(ticket: Ticket) -> float:
        scored.append(ticket)
        return 0.0

    with pytest.raises(ValueError, match=r"^coefficients is .*; give at least one, each in 0–1"):
        search(random_ticket(0, 0.5), [random_ticket(1, 0.5)], wrong, score)
    assert not scored
