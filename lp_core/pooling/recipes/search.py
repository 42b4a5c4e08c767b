"""Lottery Pools' own recipe: the greedy search over siblings (Algorithms 2 and 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lp_core.errors import InputError
from lp_core.pooling.recipe import Recipe

if TYPE_CHECKING:
    from lp_core.pooling.coefficients import HeldOutScore
    from lp_core.pooling.result import PoolResult
    from lp_core.tickets import Ticket

# Lottery Pools, appendix, table 1.
_COEFFICIENTS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]


@dataclass(frozen=True, kw_only=True)
class Search(Recipe):
    """Interpolate the target with each sibling in turn; keep what does not hurt held-out accuracy.

    coefficients: alphas to try, the weight of the best so far; [0.5] is Lottery Pools (Average).
    prune: back to the target's density `during` the search, or once `after` it.

    How the best coefficient is found is the score's matter: see `HeldOut.best_coefficient`.
    """

    coefficients: list[float] = field(default_factory=lambda: list(_COEFFICIENTS))
    prune: Literal["during", "after"] = "during"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.coefficients or any(not 0 <= c < 1 for c in self.coefficients):
            raise InputError(
                f"coefficients is {self.coefficients}; give some from 0 up to but not 1, "
                "which would leave the ticket as it is and always be accepted"
            )
        if len(set(self.coefficients)) < len(self.coefficients):
            raise InputError(f"coefficients is {self.coefficients}; give each once")

    def _combine(
        self, target: "Ticket", siblings: Sequence["Ticket"], score: "HeldOutScore"
    ) -> "PoolResult":
        from lp_core.pooling.greedy import search

        return search(
            target, siblings, self.coefficients, score, self.prune, score.best_coefficient
        )
