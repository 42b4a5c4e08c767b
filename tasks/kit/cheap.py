"""The cheap tickets of a run that is not finished.

They lie beside the run's state, since DVC removes a stage's outs before it starts the stage again.
The state says which of them there must be.
"""

from pathlib import Path
from typing import Any

from lp_core.errors import InputError
from lp_core.tickets import Ticket
from lp_core.training.distributed import Workers
from lp_core.training.hooks import Hook
from lp_core.training.resume import StateError, read_hooks
from tasks.kit import paths, resume


class CheapTickets(Hook):
    """Keeps each cheap ticket in a file as soon as it is taken, and its digest in the run's state.

    `keep` is called in the first process alone, in the order of the tickets.
    """

    def __init__(self, state: Path, workers: Workers) -> None:
        """state: of the run, which goes on from it only if the cheap tickets are there."""
        self.folder = resume.beside(state)
        self._digests: dict[str, str] = {}
        if workers.first and state.exists() and (fault := self._fault(state)):
            print(f"{fault}; the run starts over", flush=True)
            resume.drop(state)
        workers.wait()

    def keep(self, number: int, ticket: Ticket) -> None:
        """Write a cheap ticket; numbers count from 1."""
        ticket.save(self.folder / paths.cheap(number))
        self._digests[str(number)] = ticket.digest

    def load(self) -> list[Ticket]:
        """The cheap tickets of the finished run, on the CPU."""
        return [Ticket.load(self.folder / paths.cheap(int(n))) for n in self._digests]

    def state_dict(self) -> dict[str, Any]:
        return dict(self._digests)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._digests = dict(state)

    def _fault(self, state: Path) -> str | None:
        """Why a run cannot go on from a state, as far as its cheap tickets are concerned."""
        try:
            digests = read_hooks(state).get(self.name, {})
        except StateError:
            return None  # the training finds out, and says so
        for number, digest in digests.items():
            file = self.folder / paths.cheap(int(number))
            try:
                if Ticket.load(file).digest != digest:
                    return f"{file}: not the cheap ticket that {state} speaks of"
            except InputError as error:
                return str(error)
        return None
