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
class Score:
    """Held-out accuracy (0–1) and the number of images it was measured on (0: not told)."""

    accuracy: float
    images: int


# choose(build, coefficients, score) -> (index of the best coefficient, the score of each). It asks
# `build(alpha)` for interpolated tickets, again where it needs one again: nobody holds two.
Choose = Callable[..., tuple[int, list[Score]]]


class SlicedScore(Protocol):
    """A score that can also be had piece by piece (as `HeldOut` can)."""

    slices: Sequence[Sequence[int]]

    def __call__(self, ticket: Ticket) -> float: ...

    def calibrate(self, ticket: Ticket) -> Ticket: ...

    def judge(self, ticket: Ticket, piece: int) -> tuple[int, float]: ...


def best_of_all(
    build: Callable[[float], Ticket],
    coefficients: Sequence[float],
    score: Callable[[Ticket], float],
) -> tuple[int, list[Score]]:
    """Score every coefficient on everything; the first of the best wins."""
    images = sum(len(piece) for piece in getattr(score, "slices", []))
    scores = [Score(score(build(alpha)), images) for alpha in coefficients]
    return max(range(len(scores)), key=lambda i: scores[i].accuracy), scores


def successive_halving(
    build: Callable[[float], Ticket], coefficients: Sequence[float], score: SlicedScore
) -> tuple[int, list[Score]]:
    """Score all on the first slice, a third of them on the next, … and two on the whole set.

    `score.slices` are disjoint, class-balanced, and cover the held-out set, so the winner's
    accuracy is the one that `best_of_all` would give it. Who drops out is decided by the loss so
    far, which tells close coefficients apart on far fewer images than accuracy does; who wins, by
    accuracy, as in the paper.
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
            right, nll = score.judge(ticket, piece)
            correct[i] += right
            loss[i] += math.inf if math.isnan(nll) else nll
            seen[i] += len(indices)
            del ticket  # before the next is built
        if piece < len(score.slices) - 1:
            alive.sort(key=lambda i: (loss[i], i))
            alive = alive[: max(_FINALISTS, math.ceil(len(alive) * _SURVIVING_SHARE))]
    winner = min(alive, key=lambda i: (-correct[i], i))
    return winner, [Score(c / n, n) for c, n in zip(correct, seen, strict=True)]
