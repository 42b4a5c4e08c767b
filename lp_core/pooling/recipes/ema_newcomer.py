"""The exponential moving average as the authors' code has it, a baseline of Lottery Pools."""

from dataclasses import dataclass

from lp_core.errors import InputError
from lp_core.pooling.averaging import RunningAverage


@dataclass(frozen=True, kw_only=True)
class EmaNewcomer(RunningAverage):
    """Each newcomer gets weight `weight`, and what came before the rest.

    The text of Lottery Pools says the opposite (see `Ema`). Of its EMA numbers, those for ImageNet
    are of this one: they follow the last newcomer, and so fall where that is far from the target.

    weight: of each newcomer, 0–1.
    """

    weight: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.weight <= 1:
            raise InputError(f"weight is {self.weight}; it must lie between 0 and 1")

    def weight_of_average(self, _newcomer: int) -> float:
        return 1 - self.weight
