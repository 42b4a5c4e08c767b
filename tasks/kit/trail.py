"""The tickets of one run that the experiment lists: where they lie, and that they belong together.

DVC lets a stage depend on files it names, not on a list. So a stage that reads every ticket depends
on the last one alone, whose meta holds the digest of each ticket that it descends from (`lineage`).
A ticket that is not the one meant there is refused.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from lp_core.compute import Compute
from lp_core.errors import InputError
from lp_core.sparsity.spec import Round
from lp_core.tickets import Ticket, read_digest, read_meta
from tasks.kit import paths, resume
from tasks.kit.params import Params


class Trail:
    """The tickets of one variant and seed. numbers: as `imp.rounds` lists them, densest first."""

    def __init__(self, params: Params, variant: str, seed: int) -> None:
        """Reads the section imp.rounds. Raises InputError where the last ticket is not there."""
        self.variant, self.seed = variant, seed
        self.numbers = [line.ticket for line in params.section("imp.rounds", list[Round])]
        last = self.numbers[-1]
        path = self.path(last)
        self._digests = read_meta(path)["lineage"] | {str(last): read_digest(path)}

    def path(self, number: int) -> Path:
        """File of a ticket."""
        return paths.ticket(self.variant, self.seed, number)

    def load(self, number: int) -> Ticket:
        """A ticket, on the CPU. Raises InputError if the last ticket does not descend from it."""
        self._require(number)
        return Ticket.load(self.path(number))

    def converged(self) -> list[int]:
        """Numbers of the tickets that may be another's sibling.

        A ticket that stayed at chance, or whose weights are no numbers, would ruin every average
        that takes it in.
        """
        return [n for n in self.numbers if self._require(n)["converged"]]

    def _require(self, number: int) -> dict[str, Any]:
        """A ticket's meta, if it is the one that the last ticket descends from."""
        path = self.path(number)
        if self._digests.get(str(number)) != read_digest(path):
            raise InputError(
                f"{path}: not the ticket that {self.path(self.numbers[-1])} descends from; "
                "run `dvc repro` for the tickets first"
            )
        resume.forget(resume.imp_stage(self.variant, self.seed, number))
        return read_meta(path)


class OnDevice(Sequence[Ticket]):
    """Tickets in the order of their numbers, each loaded when it is asked for and kept nowhere."""

    def __init__(self, trail: Trail, numbers: Sequence[int], compute: Compute) -> None:
        self._trail, self._numbers, self._compute = trail, numbers, compute

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Ticket]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Ticket: ...

    @overload
    def __getitem__(self, index: slice) -> "OnDevice": ...

    def __getitem__(self, index: int | slice) -> "Ticket | OnDevice":
        if isinstance(index, slice):
            return OnDevice(self._trail, self._numbers[index], self._compute)
        ticket = self._trail.load(self._numbers[index])
        return ticket.to(self._compute.device, self._compute.layout)
