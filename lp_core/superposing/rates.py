"""The learning rate while cheap tickets are made, and where in a cycle each of them is taken.

Sup-tickets has `superposing_lr` (equation 3); the schedules of FGE and SWA are those that the paper
compares it with (section 5, table 7). Each cheap ticket is taken where the rate is lowest.
"""

from collections.abc import Callable

from lp_core.errors import InputError
from lp_core.superposing.spec import Cycle, EndingSpec
from lp_core.training.schedules import superposing_lr


def rate(
    spec: EndingSpec, first_step: int, steps_per_epoch: int, plain: Callable[[int], float]
) -> Callable[[int], float]:
    """The learning rate of a training's steps: `plain`, and from `first_step` on the cycles'.

    first_step: the first of the steps in which tickets are superposed. steps_per_epoch: number of
    batches.
    """
    cyclical = {"triangular": superposing_lr, "fge": fge_lr, "swa": swa_lr}[spec.schedule]
    cycle = spec.cycle * steps_per_epoch

    def of_step(step: int) -> float:
        if step < first_step or not spec.tickets:
            return plain(step)
        return cyclical(step - first_step + 1, cycle, spec.lr1, spec.lr2)

    return of_step


def ticket_iteration(schedule: Cycle, cycle: int) -> int:
    """The iteration of a cycle, from 1, whose rate is the lowest and after which a cheap ticket is
    taken: the last one; with FGE's schedule the middle one. cycle: its iterations."""
    return (cycle + 1) // 2 if schedule == "fge" else cycle


def fge_lr(iteration: int, cycle: int, lr1: float, lr2: float) -> float:
    """Fast geometric ensembling (Garipov et al. 2018, section 4): falls from lr2 to lr1 in the
    first half of a cycle, and rises back in the second. Arguments as `superposing_lr` has them."""
    return superposing_lr(iteration, cycle, lr2, lr1)


def swa_lr(iteration: int, cycle: int, lr1: float, lr2: float) -> float:
    """Stochastic weight averaging (Izmailov et al. 2018, section 3.1): falls in a straight line
    from lr2 to lr1, which the last iteration of a cycle has. Arguments as `superposing_lr` has
    them."""
    if iteration < 1 or cycle < 1:
        raise InputError(f"iteration is {iteration} and cycle is {cycle}; both count from 1")
    t = ((iteration - 1) % cycle + 1) / cycle
    return (1 - t) * lr2 + t * lr1
