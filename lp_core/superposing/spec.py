"""Settings of how a sparse training ends: as it was, or with Sup-tickets (Algorithm 1)."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from lp_core.errors import InputError

Average = Literal["cia", "caa", "cima", "search"]
Cycle = Literal["triangular", "fge", "swa"]
BatchNorm = Literal["average", "re-estimate"]

# Where averages that choose among all cheap tickets, when these are made, are found by name.
SELECTIONS = "lp_core.superposing.selections"


@dataclass(frozen=True, kw_only=True)
class EndingSpec:
    """How a sparse training ends.

    tickets: cheap tickets to make, in the last tickets · cycle epochs; 0 is the plain ending, which
    goes on as before and has no other settings.
    cycle: epochs in which each of them is made (C).
    average: how they become one: `cia`, `caa` or `cima` (section 3.2.2), or Lottery Pools' greedy
    `search` over them. beta: weight of the average so far; `cima` alone has it.
    schedule: of the learning rate in a cycle: `triangular` (equation 3), or those of `fge` and
    `swa` for comparison. lr1, lr2: its lowest and its highest rate.
    prune_rate: share of connections that the exploration which opens a cycle drops and grows; 0
    for none.
    batch_norm: `average` the tickets' statistics (section 5), or `re-estimate` them.
    calibration_images: training images that they are re-estimated on, by `re-estimate` and by a
    search; no other ending has them.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    tickets: int
    cycle: int = 8
    average: Average = "cia"
    beta: float = 0.8
    schedule: Cycle = "triangular"
    lr1: float = 0.001
    lr2: float = 0.005
    prune_rate: float = 0.5
    batch_norm: BatchNorm = "average"
    calibration_images: int = 1024

    def __post_init__(self) -> None:
        if self.tickets < 0:
            raise InputError(f"tickets is {self.tickets}; give 0 (the plain ending) or more")
        kinds = {"average": Average, "schedule": Cycle, "batch_norm": BatchNorm}
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise InputError(f"{name} is {getattr(self, name)!r}; it can be one of {known}")
        if not self.tickets:
            self._require_default("an ending of tickets 0 goes on as before", self._others())
        if self.average != "cima":
            self._require_default(f"an average of {self.average} has no such weight", ["beta"])
        if self.average == "search":
            why = "a search settles the statistics as its held-out scores do"
            self._require_default(why, ["batch_norm"])
        if self.average != "search" and self.batch_norm == "average":
            why = "an average of statistics looks at no image"
            self._require_default(why, ["calibration_images"])
        if self.calibration_images < 2:
            raise InputError(
                f"calibration_images is {self.calibration_images}; batch norm needs at least 2"
            )
        if self.average == "search" and self.tickets == 1:
            raise InputError("tickets is 1, but a search needs at least 2")
        if self.cycle < 1:
            raise InputError(f"cycle is {self.cycle}; give 1 epoch or more")
        if not 0 <= self.beta <= 1:
            raise InputError(f"beta is {self.beta}; it must lie between 0 and 1")
        if not 0 < self.lr1 <= self.lr2 < float("inf"):
            raise InputError(
                f"lr1 is {self.lr1} and lr2 is {self.lr2}; they are the lowest and the highest "
                "rate of a cycle: give positive numbers, the lower one first"
            )
        if not 0 <= self.prune_rate < 1:
            raise InputError(f"prune_rate is {self.prune_rate}; it must lie in 0 … 1, below 1")

    @property
    def superposing(self) -> int:
        """Epochs at the end of a training in which cheap tickets are made."""
        return self.tickets * self.cycle

    def require_fits(self, epochs: int, start: int) -> None:
        """Raises InputError where a training of `epochs` from epoch `start` on is too short."""
        if self.superposing > epochs - start:
            raise InputError(
                f"tickets is {self.tickets} and cycle is {self.cycle}: {self.superposing} epochs, "
                f"but endings last {epochs - start} (from epoch {start} to {epochs}); give fewer"
            )

    def _others(self) -> list[str]:
        return [field.name for field in fields(self) if field.name != "tickets"]

    def _require_default(self, why: str, names: list[str]) -> None:
        for field in fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                raise InputError(
                    f"{field.name} is {getattr(self, field.name)}, but {why}: leave it out"
                )
