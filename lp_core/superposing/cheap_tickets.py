"""The last part of a sparse training: cycles that each leave a cheap ticket (Sup-tickets,
Algorithm 1, lines 5 to 13)."""

from collections.abc import Callable
from typing import Any

from lp_core.errors import InputError
from lp_core.pooling.superposition import Superposition
from lp_core.seeds import mask_seed
from lp_core.sparsity.method import SparseMethod
from lp_core.superposing.rates import ticket_iteration
from lp_core.superposing.spec import EndingSpec
from lp_core.tickets import Ticket
from lp_core.training.hooks import Hook, Progress


class Superposing(Hook):
    """Explores the mask once when a cycle begins, takes a cheap ticket where the cycle's learning
    rate is lowest, and keeps the running average of the tickets.

    The network trains on from its own weights, not from the average. Only the first process takes
    tickets: the batch-norm statistics are its own.
    """

    def __init__(
        self,
        spec: EndingSpec,
        method: SparseMethod,
        first_step: int,
        steps_per_epoch: int,
        keep: int,
        seed: int,
        on_ticket: Callable[[int, Ticket], None] = lambda _number, _ticket: None,
    ) -> None:
        """
        method: whose criteria the exploration has. first_step: the step with which the first cycle
        begins. keep: prunable weights of the average. seed: of random draws, a run's `noise`.
        on_ticket: called with each cheap ticket and its number, from 1. In a run that goes on after
        a kill, those of the unfinished epoch come again.
        """
        self.spec, self.method, self.first_step = spec, method, first_step
        self.cycle = spec.cycle * steps_per_epoch
        self.seed, self.on_ticket = seed, on_ticket
        self.running = (
            None if spec.average == "search" else Superposition(spec.average, keep, spec.beta)
        )

    @property
    def average(self) -> Ticket:
        """The running average of the tickets so far, on the CPU.

        Raises InputError before the first one, and where there is none because a search is to
        choose among them.
        """
        if self.running is None:
            raise InputError("average is search: nothing is averaged while the network trains")
        return self.running.ticket

    def after_backward(self, progress: Progress) -> None:
        cycles, begun = divmod(progress.step - self.first_step, self.cycle)
        if begun or not 0 <= cycles < self.spec.tickets or not self.spec.prune_rate:
            return
        masks = progress.masks
        weights = {name: progress.model.get_parameter(name).detach() for name in masks}
        seed, rate = mask_seed(self.seed, progress.step), self.spec.prune_rate
        masks.change(self.method.explore(masks, weights, progress.dense_gradients, rate, seed))

    def after_step(self, progress: Progress) -> None:
        cycles, begun = divmod(progress.step - self.first_step, self.cycle)
        at = ticket_iteration(self.spec.schedule, self.cycle) - 1
        if begun != at or not 0 <= cycles < self.spec.tickets or not progress.workers.first:
            return
        number = cycles + 1
        ticket = Ticket.of(progress.model, progress.masks, {"ticket": number})
        if self.running:
            self.running.add(ticket)
        self.on_ticket(number, ticket)

    def state_dict(self) -> dict[str, Any]:
        return self.running.state_dict() if self.running else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.running:
            self.running.load_state_dict(state)
