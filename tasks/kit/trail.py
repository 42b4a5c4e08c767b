"""The tickets of one run that the experiment lists: where they lie, and that they belong together.

DVC lets a stage depend on files it names, not on a list. So a stage that reads every ticket depends
on the last one alone. That ticket's meta lists its ancestors (`lineage`): the digest of each, and
whether it converged. An ancestor that is not as listed is refused.
"""

from pathlib import Path
from typing import Any

from lp_core.errors import DamagedError, InputError
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
        meta = read_meta(self.path(last))
        if "lineage" not in meta:  # the rewind point, say
            raise DamagedError(self.path(last), "another ticket lies in its place")
        self._lineage = meta["lineage"] | {str(last): self._entry(last)}

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
        return [number for number in self.numbers if self._require(number)]

    def _entry(self, number: int) -> list[Any]:
        """What a lineage says of a ticket: its digest, and whether its training converged."""
        path = self.path(number)
        return [read_digest(path), read_meta(path)["converged"]]

    def _require(self, number: int) -> bool:
        """Whether a ticket converged, if it is the one that the last ticket descends from."""
        digest, converged = self._entry(number)
        if self._lineage.get(str(number)) != [digest, converged]:
            raise InputError(
                f"{self.path(number)}: not the ticket that {self.path(self.numbers[-1])} descends "
                "from; run `dvc repro` for the tickets first"
            )
        resume.forget(resume.stage_name("imp", self.variant, self.seed, f"round{number}"))
        return bool(converged)
