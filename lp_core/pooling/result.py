"""What a way to pool returns: the pooled ticket, and every step on the way to it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lp_core.tickets import Ticket


@dataclass(frozen=True)
class Step:
    """One interpolation that was tried.

    step: 1 for the first candidate. candidate: its ticket number. coefficient: alpha, the weight of
    what was there before: 0 for a soup's first ticket.
    val_accuracy: 0–1, on `images` held-out images (fewer where a coefficient dropped out of a
    halving early; None and 0 where nothing was scored). accepted: became the new best.
    """

    step: int
    candidate: int
    coefficient: float
    val_accuracy: float | None
    images: int
    accepted: bool


@dataclass(frozen=True)
class PoolResult:
    """A pooled ticket and everything that was tried on the way.

    trace: in the order in which it was tried.
    """

    ticket: "Ticket"
    trace: list[Step] = field(repr=False)

    @property
    def members(self) -> list[int]:
        """Numbers of the tickets whose weights are in the pooled one, in the order of their coming.

        The target is one of them, unless a soup did without it or a step left nothing of it.
        """
        members = [self.ticket.meta.get("ticket", 0)]
        for step in self.trace:
            if step.accepted:
                before = members if step.coefficient > 0 else []
                members = [*before, step.candidate] if step.coefficient < 1 else before
        return members
