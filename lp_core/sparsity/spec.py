"""Settings of iterative magnitude pruning (Lottery Pools, Algorithm 1)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from lp_core.errors import InputError


@dataclass(frozen=True)
class Round:
    """One ticket to train, and the ticket that is pruned for it (`rewind`: none, it is dense)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    ticket: int
    parent: int | Literal["rewind"]


@dataclass(frozen=True)
class ImpSpec:
    """The chain of rounds, and what each of them prunes.

    rounds: ticket k stands at index k; ticket 0 is dense, each other one is pruned from the one
    before it, so that the order of tickets is that of their densities.
    prunable: `conv` (Lottery Pools' experiments) or `conv+linear`.
    fraction: share of the surviving prunable weights that each round removes.
    checkpoint: the epoch of a training that its ticket is: the `last`, or the `best` by held-out
    accuracy (the first of equals), which is what the authors of Lottery Pools pool.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    rounds: list[Round]
    prunable: Literal["conv", "conv+linear"] = "conv"
    fraction: float = 0.2
    checkpoint: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise InputError(f"fraction is {self.fraction}; it must lie between 0 and 1")
        if not self.rounds:
            raise InputError("rounds is empty; list at least {ticket: 0, parent: rewind}")
        for index, line in enumerate(self.rounds):
            if line.ticket != index:
                raise InputError(
                    f"rounds.{index}.ticket is {line.ticket}; the chain is broken: "
                    f"line {index} must train ticket {index}, or stage names would mislead"
                )
            if line.parent != (index - 1 if index else "rewind"):
                origin = f"is pruned from ticket {index - 1}" if index else "starts from rewind"
                raise InputError(
                    f"rounds.{index}.parent is {line.parent}; the chain is broken: "
                    f"ticket {index} {origin}"
                )
