"""Finding the best coefficient of one interpolation: exhaustively, or by successive halving.

Algorithm 2 (line 5) scores every coefficient on the whole held-out set. Most coefficients are
plainly worse after a few hundred images, so halving drops them there: the survivors of each
class-balanced slice go on to the next, and only the last two are scored on the whole set.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lp_core.tickets import Ticket

_SURVIVING_SHARE = 1 / 3
_FINALISTS = 2


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

    `score.slices` are disjoint, class-balanced, and cover the held-out set, so the winner's
    accuracy is the one that `exhaustive` would give it. The loss so far decides who drops out,
    since it tells close coefficients apart on far fewer images than accuracy does; accuracy decides
    who wins, as in the paper.
    """
    correct, seen = [0] * len(coefficients), [0] * len(coefficients)
    loss = [0.0] * len(coefficients)
    normalisation: dict[int, Ticket] = {}
    alive = list(range(len(coefficients)))
    for piece, indices in enumerate(score.slices):
        for i in alive:
            ticket = build(coefficients[i])
            if i in normalisation:  # the statistics are small and cost a forward pass: keep them
                known = normalisation[i]
                ticket = replace(ticket, buffers=known.buffers, meta=known.meta)
            else:
                ticket = score.calibrate(ticket)
                normalisation[i] = Ticket({}, {}, ticket.buffers, ticket.meta)
            newly_correct, nll = score.correct_and_loss(ticket, piece)
            correct[i] += newly_correct
            loss[i] += math.inf if math.isnan(nll) else nll
            seen[i] += len(indices)
        if piece < len(score.slices) - 1:
            alive.sort(key=lambda i: (loss[i], i))
            alive = alive[: max(_FINALISTS, math.ceil(len(alive) * _SURVIVING_SHARE))]
    winner = min(alive, key=lambda i: (-correct[i], i))
    return winner, [Accuracy(c / n, n) for c, n in zip(correct, seen, strict=True)]
