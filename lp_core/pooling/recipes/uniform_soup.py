"""The uniform soup of Wortsman et al. 2022, section 2, cooked from the tickets of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.pooling.recipe import Recipe
from lp_core.pooling.result import PoolResult, Step

if TYPE_CHECKING:
    from lp_core.pooling.coefficients import HeldOutScore
    from lp_core.tickets import Ticket


@dataclass(frozen=True, kw_only=True)
class UniformSoup(Recipe):
    """The mean of the target and its siblings, pruned to the target's density.

    In the trace, `coefficient` is the weight of the mean so far: 0 for the target itself.
    """

    def _combine(
        self, target: "Ticket", siblings: Sequence["Ticket"], _score: "HeldOutScore"
    ) -> PoolResult:
        from lp_core.pooling.interpolation import interpolate
        from lp_core.pooling.soup import in_place_of, number_of, pruned_to

        soup = target
        trace = [Step(1, number_of(target, 0), 0.0, None, 0, True)]
        for n, sibling in enumerate(siblings, start=1):
            share = n / (n + 1)
            soup = interpolate(soup, sibling, share, keep=soup.prunable)
            trace.append(Step(n + 1, number_of(sibling, n), share, None, 0, True))
        return PoolResult(in_place_of(target, pruned_to(soup, target.kept)), trace)
