"""The learning rate as a function of time, so that a run can begin or go on anywhere in it.

`learning_rate` has the step schedules with warm-up of Lottery Pools (Table 2) beside a cosine and
a constant; a ticket that rewinds to epoch j starts at epoch j. `superposing_lr` is the cyclical
schedule of Sup-tickets, equation 3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from lp_core.errors import InputError

Kind = Literal["step", "cosine", "constant"]


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes over the epochs of a run.

    lr: the highest rate. kind: "step" multiplies by `gamma` at each epoch of `drops`, "cosine"
    falls to 0 at the run's end, "constant" stays. warmup: epochs over which the rate first rises
    from 0 to lr.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    lr: float
    kind: Kind = "step"
    drops: list[int] = field(default_factory=list)
    gamma: float = 0.1
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            known = ", ".join(get_args(Kind))
            raise InputError(f"kind is {self.kind!r}; it can be one of {known}")
        if not 0 < self.lr < math.inf:
            raise InputError(f"lr is {self.lr}; give a positive number")
        if not 0 < self.gamma <= 1:
            raise InputError(f"gamma is {self.gamma}; it must lie in 0 … 1, above 0")
        if not 0 <= self.warmup < math.inf:
            raise InputError(f"warmup is {self.warmup}; give 0 epochs or more")
        if self.drops and self.kind != "step":
            raise InputError(f"drops is {self.drops}, but a {self.kind} schedule has none; give []")
        if any(
            later <= earlier for earlier, later in zip(self.drops, self.drops[1:], strict=False)
        ):
            raise InputError(f"drops is {self.drops}; list epochs in ascending order, each once")
        if self.drops and self.drops[0] <= self.warmup:
            raise InputError(
                f"drops begins at epoch {self.drops[0]}, but warmup lasts {self.warmup} epochs; "
                "the first drop must come later, and after epoch 0"
            )


def learning_rate(schedule: Schedule, epoch: float, epochs: int) -> float:
    """The rate at `epoch` of a run of `epochs`; fractional epochs are iteration / steps per epoch.

    A drop at epoch d holds from d on. Raises InputError for an epoch outside 0 … epochs, and for a
    cosine whose warm-up leaves no time to fall.
    """
    if not 0 <= epoch <= epochs:
        raise InputError(f"epoch is {epoch}; it must lie in 0 … {epochs}, the run's epochs")
    if schedule.kind == "cosine" and schedule.warmup >= epochs:
        raise InputError(f"warmup is {schedule.warmup}; a cosine of {epochs} epochs needs less")
    if epoch < schedule.warmup:
        return schedule.lr * epoch / schedule.warmup
    if schedule.kind == "step":
        return schedule.lr * schedule.gamma ** sum(drop <= epoch for drop in schedule.drops)
    if schedule.kind == "cosine":
        progress = (epoch - schedule.warmup) / (epochs - schedule.warmup)
        return schedule.lr * (1 + math.cos(math.pi * progress)) / 2
    return schedule.lr


def by_step(schedule: Schedule, epochs: int, steps: int) -> Callable[[int], float]:
    """The rate as a function of the step, of a run of `epochs` with `steps` steps in each."""

    def rate(step: int) -> float:
        epoch, done = divmod(step, steps)
        return learning_rate(schedule, epoch + done / steps, epochs)

    return rate


def superposing_lr(iteration: int, cycle: int, lr1: float, lr2: float) -> float:
    """The cyclical rate under which cheap tickets are made: Sup-tickets, equation 3.

    iteration: of the superposing phase, from 1. cycle: iterations in a cycle (C). A cycle rises
    from lr1 to lr2 in its first half and falls back to lr1, which the last iteration has: there a
    cheap ticket is taken. The paper uses lr1 0.001 and lr2 0.005 (its appendix on schedules).
    Raises InputError for an iteration or a cycle below 1.
    """
    if iteration < 1 or cycle < 1:
        raise InputError(f"iteration is {iteration} and cycle is {cycle}; both count from 1")
    t = ((iteration - 1) % cycle + 1) / cycle
    if t <= 0.5:
        return (1 - 2 * t) * lr1 + 2 * t * lr2
    return (2 - 2 * t) * lr2 + (2 * t - 1) * lr1
