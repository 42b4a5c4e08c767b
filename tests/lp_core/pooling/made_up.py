"""Accuracies that a hash makes up, and tickets whose copies in memory can be counted."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from hypothesis import strategies as st

from lp_core.pooling.coefficients import BestCoefficient, exhaustive
from lp_core.pooling.result import PoolResult
from lp_core.tickets import Ticket

Weights = dict[str, np.ndarray]
Accuracy = Callable[[Weights], float]

# Dyadic, so that sums are exact in float32 and equal magnitudes really tie.
coefficients = st.lists(st.integers(0, 8).map(lambda i: i / 8), min_size=1, max_size=5)


def plain(ticket: Ticket) -> Weights:
    return {name: weight.contiguous().numpy() for name, weight in ticket.weights.items()}


def accuracies(levels: int, salt: int) -> Accuracy:
    """A deterministic "accuracy" of any weights, one of `levels`: few levels make many ties."""

    def accuracy(weights: Weights) -> float:
        digest = hashlib.sha256(str(salt).encode())
        for name in sorted(weights):
            digest.update((weights[name] + 0.0).astype(np.float32).tobytes())  # −0 is 0
        return int.from_bytes(digest.digest()[:4], "big") % levels / levels

    return accuracy


scores = st.builds(accuracies, st.sampled_from([1, 2, 3, 7, 1000]), st.integers(0, 10**6))


@dataclass
class Sliced:
    """Made-up numbers of right answers, slice by slice; as deterministic as real ones."""

    accuracy: Accuracy
    sizes: list[int]
    best_coefficient: BestCoefficient = exhaustive

    def __post_init__(self) -> None:
        self.slices = [range(size) for size in self.sizes]

    def correct_and_loss(self, ticket: Ticket, piece: int) -> tuple[int, float]:
        salted = {**plain(ticket), "piece": np.array([piece])}
        correct = round(self.accuracy(salted) * self.sizes[piece])
        return correct, float(self.sizes[piece] - correct)

    def calibrate(self, ticket: Ticket) -> Ticket:
        return ticket

    def __call__(self, ticket: Ticket) -> float:
        correct = sum(self.correct_and_loss(ticket, i)[0] for i in range(len(self.sizes)))
        return correct / sum(self.sizes)


@dataclass
class Unsliced:
    """A score of tickets as wholes, which knows of no slices."""

    score: Callable[[Ticket], float]
    slices: Sequence[Sequence[int]] = ()
    best_coefficient: BestCoefficient = exhaustive

    def calibrate(self, ticket: Ticket) -> Ticket:
        return ticket

    def correct_and_loss(self, ticket: Ticket, piece: int) -> tuple[int, float]:
        raise AssertionError(f"{ticket.meta} has no slice {piece}")

    def __call__(self, ticket: Ticket) -> float:
        return self.score(ticket)


def accepted(result: PoolResult) -> list[float]:
    """The accuracies of the steps that were."""
    found = []
    for step in result.trace:
        if step.accepted:
            assert step.val_accuracy is not None
            found.append(step.val_accuracy)
    return found


# Few images and many: a halving does not treat them alike.
sizes = st.integers(1, 20) | st.integers(1, 900)
held_out = st.builds(Sliced, scores, st.lists(sizes, min_size=1, max_size=4))


# A shape that nothing else has, by which the collector tells the weights of these tickets.
SHAPE = (7, 5, 3, 3)


def random_ticket(seed: int, density: float) -> Ticket:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(SHAPE, generator=generator) < density
    weights = {"conv": torch.randn(SHAPE, generator=generator) * mask, "bias": torch.randn(7)}
    return Ticket(weights, {"conv": mask}, {"mean": torch.zeros(7)}, {"ticket": seed})


@dataclass
class Loading(Sequence[Ticket]):
    """Random tickets, made anew each time that one is asked for, as if loaded from disk."""

    numbers: Sequence[int]
    before: Callable[[], object]

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Ticket: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Ticket]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Loading(self.numbers[index], self.before)
        number = self.numbers[index]
        self.before()
        return random_ticket(number, density=(number % 9 + 1) / 10)
