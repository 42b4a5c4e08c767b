"""The search for the first epoch from which trainings are stable to SGD noise.

A binary search over rewind points (SGD noise, appendix C.3), which assumes that what is stable at
an epoch is so at every later one, and looks once whether that holds at the epoch that it found.
Whether an epoch is stable (a *probe*) costs several trainings, and is the caller's matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lp_core.errors import InputError


@dataclass(frozen=True)
class StableSearch:
    """How far the search has come.

    last: epochs of a training; trainings that start there are stable, nothing is left to train.
    probes: whether an epoch below `last` is stable, in the order in which that was found out.
    """

    last: int
    probes: Mapping[int, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.last < 0:
            raise InputError(f"last is {self.last}; a training has 0 epochs or more")
        if outside := [epoch for epoch in self.probes if not 0 <= epoch < self.last]:
            raise InputError(
                f"epoch {outside[0]} was probed; give epochs from 0 to {self.last - 1}"
            )

    @property
    def bounds(self) -> tuple[int, int]:
        """The last epoch known to be unstable (−1 for none), and the first known to be stable.

        As far as the search goes: what contradicts it (see `monotone`) does not move them.
        """
        unstable, stable = -1, self.last
        for epoch, is_stable in self.probes.items():
            if unstable < epoch < stable:
                unstable, stable = (unstable, epoch) if is_stable else (epoch, stable)
        return unstable, stable

    @property
    def found(self) -> int | None:
        """The first stable epoch; None as long as the search goes on."""
        unstable, stable = self.bounds
        return stable if stable - unstable == 1 else None

    @property
    def next_probe(self) -> int | None:
        """The epoch to probe next; None when there is nothing left to find out.

        The middle of what is open; then the epoch after the found one, for a check, unless that is
        known already.
        """
        if self.found is None:
            unstable, stable = self.bounds
            return (unstable + 1 + stable) // 2
        check = self.found + 1
        return check if check < self.last and check not in self.probes else None

    @property
    def monotone(self) -> bool:
        """Whether no probe contradicts that every epoch after a stable one is stable."""
        first = min((epoch for epoch, stable in self.probes.items() if stable), default=self.last)
        return all(stable for epoch, stable in self.probes.items() if epoch > first)

    def after(self, epoch: int, stable: bool) -> "StableSearch":
        """The search with the result of one more probe."""
        return StableSearch(self.last, {**self.probes, epoch: stable})


def most_probes(last: int) -> int:
    """How many probes the search takes at most, the check included: ⌈log₂(last + 1)⌉ + 1."""
    return last.bit_length() + 1
