"""A running average of tickets, pruned back to the target's density at each step.

It walks the candidates in the order of the greedy search and takes every one of them, whatever
that does to held-out accuracy (Lottery Pools, section "Comparison with weight averaging
baselines").
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.pooling.recipe import Recipe
from lp_core.pooling.result import PoolResult, Step

if TYPE_CHECKING:
    from lp_core.pooling.coefficients import HeldOutScore
    from lp_core.tickets import Ticket


@dataclass(frozen=True, kw_only=True)
class RunningAverage(Recipe):
    """A recipe that differs from others of its kind in how much a newcomer weighs."""

    @abstractmethod
    def weight_of_average(self, newcomer: int) -> float:
        """The weight, 0–1, of the average so far. newcomer: 1 for the first sibling."""

    def _combine(
        self, target: "Ticket", siblings: Sequence["Ticket"], _score: "HeldOutScore"
    ) -> PoolResult:
        from lp_core.pooling.interpolation import interpolate

        average, trace = target, []
        for number, sibling in enumerate(siblings, start=1):
            alpha = self.weight_of_average(number)
            average = interpolate(average, sibling, alpha, keep=target.kept)
            trace.append(Step(number, sibling.meta.get("ticket", number), alpha, None, 0, True))
        return PoolResult(average, trace)
