"""The two weight-averaging baselines: SWA and EMA, pruned back at each step.

Both walk the candidates in the order of the greedy search and take every one of them, whatever
it does to held-out accuracy (Lottery Pools, section "Comparison with weight averaging baselines").
"""

from collections.abc import Callable, Iterable

from lp_core.pooling.greedy import PoolResult, Step
from lp_core.pooling.interpolation import interpolate
from lp_core.tickets import Ticket


def swa(target: Ticket, candidates: Iterable[Ticket]) -> PoolResult:
    """Stochastic weight averaging: the n-th newcomer gets weight 1/(n+1), so all weigh alike.

    Raises InputError where a candidate's tensors differ from the target's in names or shapes.
    """
    return _walk(target, candidates, lambda n: n / (n + 1))


def ema(target: Ticket, candidates: Iterable[Ticket], decay: float = 0.95) -> PoolResult:
    """Exponential moving average: each newcomer gets weight 1 − decay.

    Raises InputError where a candidate's tensors differ from the target's in names or shapes, and
    where decay is not between 0 and 1.
    """
    return _walk(target, candidates, lambda _: decay)


def _walk(
    target: Ticket, candidates: Iterable[Ticket], weight_of_average: Callable[[int], float]
) -> PoolResult:
    average, keep, trace = target, target.kept, []
    for n, candidate in enumerate(candidates, start=1):
        alpha = weight_of_average(n)
        average = interpolate(average, candidate, alpha, keep)
        trace.append(Step(n, candidate.meta.get("ticket", n), alpha, None, 0, True))
    return PoolResult(average, trace)
