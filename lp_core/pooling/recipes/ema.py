"""The exponential moving average, a baseline of Lottery Pools."""

from dataclasses import dataclass

from lp_core.errors import InputError
from lp_core.pooling.averaging import RunningAverage


@dataclass(frozen=True, kw_only=True)
class Ema(RunningAverage):
    """Each newcomer gets weight 1 − decay, as the text of Lottery Pools defines it.

    decay: weight of the running average, 0–1.
    """

    decay: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decay <= 1:
            raise InputError(f"decay is {self.decay}; it must lie between 0 and 1")

    def weight_of_average(self, _newcomer: int) -> float:
        return self.decay
