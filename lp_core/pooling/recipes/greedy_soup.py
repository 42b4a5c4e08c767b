"""The greedy soup of Wortsman et al. 2022, Recipe 1, cooked from the tickets of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_core.pooling.recipe import Recipe
from lp_core.pooling.result import PoolResult, Step

if TYPE_CHECKING:
    from lp_core.pooling.coefficients import HeldOutScore
    from lp_core.tickets import Ticket


@dataclass(frozen=True, kw_only=True)
class GreedySoup(Recipe):
    """The mean of those tickets that do not hurt held-out accuracy.

    The target and its siblings are tried by falling held-out accuracy, each pruned to the target's
    density; where two are equally accurate, the nearer one first. A ticket stays in if the mean
    with it, pruned, is at least as accurate as the best so far. The target need not be in its own
    soup. In the trace, `coefficient` is the weight of the mean so far: 0 for the first ticket.

    A soup of tickets sparser than the target may have fewer non-zero weights than its mask keeps,
    never more.
    """

    def _combine(
        self, target: "Ticket", siblings: Sequence["Ticket"], score: "HeldOutScore"
    ) -> PoolResult:
        from lp_core.pooling.coefficients import images_of
        from lp_core.pooling.interpolation import interpolate
        from lp_core.pooling.soup import in_place_of, number_of, pruned_to

        def ticket(i: int) -> "Ticket":
            return siblings[i - 1] if i else target

        keep, images = target.kept, images_of(score)
        alone = [score(pruned_to(ticket(i), keep)) for i in range(len(siblings) + 1)]
        first, *others = sorted(range(len(alone)), key=lambda i: -alone[i])
        soup, members, best = ticket(first), 1, alone[first]
        trace = [Step(1, number_of(soup, first), 0.0, best, images, True)]
        for step, i in enumerate(others, start=2):
            newcomer, share = ticket(i), members / (members + 1)
            larger = interpolate(soup, newcomer, share, keep=soup.prunable)
            accuracy = score(pruned_to(larger, keep))
            accepted = accuracy >= best
            trace.append(Step(step, number_of(newcomer, i), share, accuracy, images, accepted))
            if accepted:
                soup, members, best = larger, members + 1, accuracy
        return PoolResult(in_place_of(target, pruned_to(soup, keep)), trace)
