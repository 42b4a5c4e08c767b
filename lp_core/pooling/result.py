"""What a way to pool returns: the pooled ticket, and every step on the way to it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lp_core.tickets import Ticket


@dataclass(frozen=True)
class Step:
    """One interpolation that was tried.

    step: 1 for the first candidate. candidate: its ticket number. coefficient: alpha.
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
    """A pooled ticket and everything that was tried on the way."""

    ticket: "Ticket"
    trace: list[Step]

    @property
    def members(self) -> list[int]:
        """Ticket numbers of the siblings that were taken in, in order.

        A soup tries the target like any other ticket; it is no sibling of itself.
        """
        own = self.ticket.meta.get("ticket")
        return [s.candidate for s in self.trace if s.accepted and s.candidate != own]
