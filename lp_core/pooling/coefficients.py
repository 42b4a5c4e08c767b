"""Finding the best coefficient of one interpolation: exhaustively, or by successive halving.

Algorithm 2 (line 5) scores every coefficient on the whole held-out set. Of a large one, a part
shows which coefficients are plainly worse, so halving drops them there: the survivors of each
class-balanced slice go on to the next, and at least two are scored on the whole set. A few hundred
images do not show it: on 288 halving chose another coefficient than Algorithm 2 in 48 of 60 steps,
so it drops none until 500 have been seen.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol

from lp_core.tickets import Ticket

_SURVIVING_SHARE = 1 / 3
_FINALISTS = 2
_ENOUGH = 500  # held-out images that a coefficient has been scored on before it may drop out


@dataclass(frozen=True)
class Accuracy:
    """Held-out accuracy, 0–1, and the number of images it was measured on (0: not told)."""

    value: float
    images: int


# Called as best_coefficient(build, coefficients, score): returns the index of the best coefficient
# and the accuracy of each. May call `build(alpha)`, which makes the interpolated ticket,
# repeatedly; keeps one ticket at a time.
BestCoefficient = Callable[..., tuple[int, list[Accuracy]]]


class HeldOutScore(Protocol):
    """Held-out accuracy of tickets, in whole and slice by slice (as `HeldOut` measures it)."""

    @property
    def slices(self) -> Sequence[Sequence[int]]:
        """The held-out images of each slice."""

    @property
    def best_coefficient(self) -> BestCoefficient:
        """How a search is to find the best coefficient with this score."""

    def __call__(self, ticket: Ticket) -> float: ...

    def calibrate(self, ticket: Ticket) -> Ticket: ...

    def correct_and_loss(self, ticket: Ticket, piece: int) -> tuple[int, float]: ...


def images_of(score: Callable[[Ticket], float]) -> int:
    """How many images a score is measured on; 0 where it does not tell."""
    return sum(len(piece) for piece in getattr(score, "slices", []))


def exhaustive(
    build: Callable[[float], Ticket],
    coefficients: Sequence[float],
    score: Callable[[Ticket], float],
) -> tuple[int, list[Accuracy]]:
    """Score every coefficient on everything; the first of the best wins."""
    images = images_of(score)
    accuracies = [Accuracy(score(build(alpha)), images) for alpha in coefficients]
    return max(range(len(accuracies)), key=lambda i: accuracies[i].value), accuracies


def successive_halving(
    build: Callable[[float], Ticket], coefficients: Sequence[float], score: HeldOutScore
) -> tuple[int, list[Accuracy]]:
    """Score all on the first slice, a third of them on the next, … and two on the whole set.

    The slices that hold the first 500 images count as one: nothing drops out on fewer, and on a
    held-out set of fewer this is `exhaustive`. `score.slices` are disjoint, class-balanced, and
    cover the held-out set, so the winner's accuracy is the one that `exhaustive` would give it. The
    loss so far decides who drops out, since it tells close coefficients apart on far fewer images
    than accuracy does; accuracy decides who wins, as in the paper.
    """
    correct, seen = [0] * len(coefficients), [0] * len(coefficients)
    loss = [0.0] * len(coefficients)
    normalisation: dict[int, Ticket] = {}
    alive = list(range(len(coefficients)))
    stages = _stages([len(indices) for indices in score.slices])
    for stage in stages:
        for i in alive:
            ticket = build(coefficients[i])
            if i in normalisation:  # the statistics are small and cost a forward pass: keep them
                known = normalisation[i]
                ticket = replace(ticket, buffers=known.buffers, meta=known.meta)
            else:
                ticket = score.calibrate(ticket)
                normalisation[i] = Ticket({}, {}, ticket.buffers, ticket.meta)
            for piece in stage:
                newly_correct, nll = score.correct_and_loss(ticket, piece)
                correct[i] += newly_correct
                loss[i] += math.inf if math.isnan(nll) else nll
                seen[i] += len(score.slices[piece])
        if stage != stages[-1]:
            alive.sort(key=lambda i: (loss[i], i))
            alive = alive[: max(_FINALISTS, math.ceil(len(alive) * _SURVIVING_SHARE))]
    winner = min(alive, key=lambda i: (-correct[i], i))
    return winner, [Accuracy(c / n, n) for c, n in zip(correct, seen, strict=True)]


def _stages(sizes: Sequence[int]) -> list[list[int]]:
    """The slices by number, those with the first 500 images together. sizes: images of each."""
    first = 1 + sum(total < _ENOUGH for total in accumulate(sizes))
    return [list(range(len(sizes)))[:first], *([i] for i in range(first, len(sizes)))]
