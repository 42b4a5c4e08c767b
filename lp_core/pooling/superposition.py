"""Cheap tickets superposed into one (Sup-tickets, section 3.2.2, and Algorithm 1, lines 9 to 11).

The average is a running one: whatever the number of tickets, one extra copy of the weights is kept
(section 3.3, equation 4), and it has the target's density after every step.
"""

from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from lp_core.errors import InputError
from lp_core.pooling.interpolation import interpolate, prune
from lp_core.tickets import Ticket

Method = Literal["cia", "caa", "cima"]


class Superposition:
    """A running average of tickets: `add` each; `ticket` is the average so far.

    The first ticket is taken as it is. Batch-norm statistics are averaged with it: means, and
    standard deviations rather than variances (section 5, "Batch Normalization").
    """

    def __init__(self, method: Method, keep: int, beta: float = 0.8) -> None:
        """
        method: `cia`, every ticket weighs alike, whatever connections it has; `caa`, a connection
        is averaged over the tickets that have it; `cima`, a moving average.
        keep: number of prunable weights that the largest magnitudes keep after each step.
        beta: weight, 0–1, of the average so far in `cima`. (The text's; the authors' code gives it
        to the newcomer.)

        Raises InputError for another method, and for a beta that is not between 0 and 1.
        """
        if method not in get_args(Method):
            known = ", ".join(get_args(Method))
            raise InputError(f"method is {method!r}; it can be one of {known}")
        if not 0 <= beta <= 1:
            raise InputError(f"beta is {beta}; it must lie between 0 and 1")
        self.method, self.keep, self.beta = method, keep, beta
        self.number = 0  # of tickets so far
        self._average: Ticket | None = None
        self._active: dict[str, Tensor] = {}  # N(k, j), for `caa` alone

    @property
    def ticket(self) -> Ticket:
        """The average so far. Raises InputError before the first ticket."""
        if self._average is None:
            raise InputError("there are no tickets to superpose; give at least one")
        return self._average

    def add(self, ticket: Ticket) -> None:
        """Take one more ticket into the average; it is not changed, but must not change later.

        Raises InputError where its tensors differ from the first one's in names or shapes, and
        where `keep` is not a number of its prunable weights.
        """
        self.number += 1
        if self._average is None:
            # As it is: pruning would choose anew among kept weights that are still zero.
            self._average = ticket if ticket.kept == self.keep else prune(ticket, self.keep)
        else:
            share = self.beta if self.method == "cima" else 1 - 1 / self.number
            averaged = interpolate(self._average, ticket, share, keep=ticket.prunable)
            if self.method == "caa":
                averaged = replace(averaged, weights=averaged.weights | self._by_activity(ticket))
            deviations = _mean_deviations(self._average, ticket, share)
            averaged = replace(averaged, buffers=averaged.buffers | deviations)
            self._average = prune(averaged, self.keep)
        if self.method == "caa":
            for name, mask in ticket.mask.items():
                active = mask.to(torch.int16)
                self._active[name] = self._active.get(name, 0) + active

    def _by_activity(self, ticket: Ticket) -> dict[str, Tensor]:
        """The prunable weights, each averaged over the tickets in which it is active."""
        weights: dict[str, Tensor] = {}
        for name, active in ticket.mask.items():
            before, newcomer = self.ticket.weights[name], ticket.weights[name]
            count = self._active[name]
            weights[name] = ((count * before + newcomer) / (count + 1)).where(active, before)
        return weights

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to go on: tensors, and values that JSON can hold, by name."""
        state: dict[str, Any] = {"number": self.number}
        if self._average is not None:
            for kind, tensors in self._parts(self._average).items():
                state |= {f"{kind}:{name}": tensor for name, tensor in tensors.items()}
            state["meta"] = self._average.meta
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; tensors may lie on another device."""
        self.number = state["number"]
        if self.number:
            parts: dict[str, dict[str, Tensor]] = {}
            for key, value in state.items():
                if isinstance(value, Tensor):
                    kind, _, name = key.partition(":")
                    parts.setdefault(kind, {})[name] = value.cpu()
            self._active = parts.get("active", {})
            weights, mask = parts["weights"], parts["mask"]
            self._average = Ticket(weights, mask, parts.get("buffers", {}), state["meta"])

    def _parts(self, average: Ticket) -> dict[str, dict[str, Tensor]]:
        return {
            "weights": average.weights,
            "mask": average.mask,
            "buffers": average.buffers,
            "active": self._active,
        }


def _mean_deviations(a: Ticket, b: Ticket, share: float) -> dict[str, Tensor]:
    """The variances whose standard deviations are the mean of two tickets'. share: of `a`."""
    return {
        name: (share * variance.sqrt() + (1 - share) * b.buffers[name].sqrt()).square()
        for name, variance in a.buffers.items()
        if name.endswith("running_var")
    }
