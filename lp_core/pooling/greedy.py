"""The greedy search over sibling tickets (Lottery Pools, Algorithms 2 and 3).

With several coefficients it is Lottery Pools (Interpolation); with the one coefficient 0.5 it is
Lottery Pools (Average).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal

from lp_core.errors import InputError
from lp_core.pooling.coefficients import BestCoefficient, exhaustive
from lp_core.pooling.interpolation import interpolate
from lp_core.pooling.interpolation import prune as prune_to
from lp_core.pooling.result import PoolResult, Step
from lp_core.tickets import Ticket


def search(
    target: Ticket,
    candidates: Iterable[Ticket],
    coefficients: Sequence[float],
    score: Callable[[Ticket], float],
    prune: Literal["during", "after"] = "during",
    best_coefficient: BestCoefficient = exhaustive,
) -> PoolResult:
    """Interpolate the target with each candidate in turn; keep what does not hurt `score`.

    candidates: nearest first. Consumed one at a time: with a generator that loads each from disk
    there are never more than five copies of the weights, whatever the number of tickets.
    coefficients: alphas to try, the weight of the best so far (Algorithm 2, line 5); among equal
    accuracies the first listed wins.
    score: held-out accuracy 0–1 of a ticket. Never the test split's.
    prune: `during` prunes every interpolation to the target's density before it is scored;
    `after` searches over unpruned ones and prunes the last (section "When to prune").
    best_coefficient: how it is found: `exhaustive` scores each on the whole held-out set as the
    paper does, `successive_halving` spends less.

    The inputs are not changed. If nothing was accepted, the ticket returned is the target.

    Raises InputError where there are no coefficients or one is not between 0 and 1, and where a
    candidate's tensors differ from the target's in names or shapes.
    """
    if not coefficients or any(not 0 <= alpha <= 1 for alpha in coefficients):
        raise InputError(f"coefficients is {list(coefficients)}; give at least one, each in 0–1")
    keep = target.kept if prune == "during" else target.prunable
    best, best_accuracy, trace = target, score(target), []
    for number, candidate in enumerate(candidates, start=1):
        name = candidate.meta.get("ticket", number)
        build = partial(interpolate, best, candidate, keep=keep)
        winner, accuracies = best_coefficient(build, coefficients, score)
        accepted = accuracies[winner].value >= best_accuracy
        trace += [
            Step(number, name, alpha, accuracy.value, accuracy.images, accepted and i == winner)
            for i, (alpha, accuracy) in enumerate(zip(coefficients, accuracies, strict=True))
        ]
        if accepted:
            best, best_accuracy = build(coefficients[winner]), accuracies[winner].value
    if prune == "after" and any(step.accepted for step in trace):
        best = prune_to(best, target.kept)
    return PoolResult(best, trace)
