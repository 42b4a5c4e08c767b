"""What all ways to pool have in common: their settings, and how they are called."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lp_core.errors import InputError

if TYPE_CHECKING:
    from lp_core.pooling.coefficients import HeldOutScore
    from lp_core.pooling.result import PoolResult
    from lp_core.tickets import Ticket


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """A way to make a ticket stronger from its siblings, with its settings.

    candidates: how many of the nearest siblings to draw on; None for all.

    A recipe's file imports PyTorch inside its methods alone, so that its settings can be checked
    without.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    candidates: int | None = None

    def __post_init__(self) -> None:
        if self.candidates is not None and self.candidates < 1:
            raise InputError(f"candidates is {self.candidates}; give at least 1, or null for all")

    def pool(
        self, target: "Ticket", siblings: Sequence["Ticket"], score: "HeldOutScore"
    ) -> "PoolResult":
        """The target, pooled with its siblings to a ticket of as many prunable weights.

        siblings: nearest first (see `nearest`). Each is asked for when its turn comes and then let
        go, some of them twice: with a sequence that loads them from disk there are never more than
        five copies of the weights, whatever the number of tickets.
        score: held-out accuracy 0–1 of a ticket, a `HeldOut` say. Never the test split's.

        The inputs are not changed. Raises InputError where a sibling's tensors differ from the
        target's in names or shapes.
        """
        return self._combine(target, siblings[: self.candidates], score)

    @abstractmethod
    def _combine(
        self, target: "Ticket", siblings: Sequence["Ticket"], score: "HeldOutScore"
    ) -> "PoolResult":
        """`pool`, given only those siblings that are to be drawn on."""


def nearest(target: int, tickets: Iterable[int], count: int | None = None) -> list[int]:
    """The other tickets by distance |i − t| from the target, the denser first where two tie.

    count: how many of them to keep; None for all (Lottery Pools, section "Candidate lottery
    pools count").
    """
    others = sorted((i for i in tickets if i != target), key=lambda i: (abs(i - target), i))
    return others[:count]
