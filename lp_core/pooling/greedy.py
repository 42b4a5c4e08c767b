"""The greedy search over sibling tickets (Lottery Pools, Algorithms 2 and 3).

With several coefficients it is Lottery Pools (Interpolation); with the one coefficient 0.5 it is
Lottery Pools (Average).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from lp_core.errors import InputError
from lp_core.pooling.choosing import Choose, best_of_all
from lp_core.pooling.interpolation import interpolate
from lp_core.pooling.interpolation import prune as prune_to
from lp_core.tickets import Ticket


@dataclass(frozen=True)
class Step:
    """One interpolation that was tried.

    step: 1 for the first candidate. candidate: its ticket number. coefficient: alpha.
    val_accuracy: 0–1, on `images` held-out images (fewer where a coefficient dropped out of a
    halving early; None and 0 where nothing was scored). accepted: became the new best.
    """

    step: int
    candidate: int
    coefficient: float
    val_accuracy: float | None
    images: int
    accepted: bool


@dataclass(frozen=True)
class PoolResult:
    """A pooled ticket and everything that was tried on the way."""

    ticket: Ticket
    trace: list[Step]

    @property
    def members(self) -> list[int]:
        """Ticket numbers of the siblings that were taken in, in order.

        A soup tries the target like any other ticket; it is no sibling of itself.
        """
        own = self.ticket.meta.get("ticket")
        return [s.candidate for s in self.trace if s.accepted and s.candidate != own]


def nearest(target: int, tickets: Iterable[int], count: int | None = None) -> list[int]:
    """The other tickets by distance |i − t| from the target, the denser first where two tie.

    count: how many of them to keep; None for all (Lottery Pools, section "Candidate lottery
    pools count").
    """
    others = sorted((i for i in tickets if i != target), key=lambda i: (abs(i - target), i))
    return others[:count]


def search(
    target: Ticket,
    candidates: Iterable[Ticket],
    coefficients: Sequence[float],
    score: Callable[[Ticket], float],
    prune: Literal["during", "after"] = "during",
    choose: Choose = best_of_all,
) -> PoolResult:
    """Interpolate the target with each candidate in turn; keep what does not hurt `score`.

    candidates: nearest first. Consumed one at a time, so a generator that loads each from disk
    keeps the number of weight copies at three (the best so far, the candidate, the one being
    built), whatever the number of tickets.
    coefficients: alphas to try, the weight of the best so far (Algorithm 2, line 5); among equal
    accuracies the first listed wins.
    score: held-out accuracy 0–1 of a ticket. Never the test split's.
    prune: `during` prunes every interpolation to the target's density before it is scored;
    `after` searches over unpruned ones and prunes the last (section "When to prune").
    choose: how the best coefficient is found: `best_of_all` scores each on the whole held-out set
    as the paper does, `successive_halving` spends less.

    The inputs are not changed. If nothing was accepted, the ticket returned is the target.

    Raises InputError where there are no coefficients or one is not between 0 and 1, and where a
    candidate's tensors differ from the target's in names or shapes.
    """
    if not coefficients or any(not 0 <= alpha <= 1 for alpha in coefficients):
        raise InputError(f"coefficients is {list(coefficients)}; give at least one, each in 0–1")
    kept, keep = target.kept, target.kept if prune == "during" else target.prunable
    best, best_score, trace = target, score(target), []
    del target  # or it would be a copy more, where the caller has let go of it
    for number, candidate in enumerate(candidates, start=1):
        name = candidate.meta.get("ticket", number)
        build = partial(interpolate, best, candidate, keep=keep)
        winner, scores = choose(build, coefficients, score)
        accepted = scores[winner].accuracy >= best_score
        trace += [
            Step(number, name, alpha, tried.accuracy, tried.images, accepted and i == winner)
            for i, (alpha, tried) in enumerate(zip(coefficients, scores, strict=True))
        ]
        if accepted:
            best, best_score = build(coefficients[winner]), scores[winner].accuracy
        del build  # it holds what was best before
    if prune == "after" and any(step.accepted for step in trace):
        best = prune_to(best, kept)
    return PoolResult(best, trace)
