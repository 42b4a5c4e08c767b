"""Stochastic weight averaging, a baseline of Lottery Pools."""

from dataclasses import dataclass

from lp_core.pooling.averaging import RunningAverage


@dataclass(frozen=True, kw_only=True)
class Swa(RunningAverage):
    """The n-th newcomer gets weight 1/(n+1), so that all tickets weigh alike."""

    def weight_of_average(self, newcomer: int) -> float:
        return newcomer / (newcomer + 1)
