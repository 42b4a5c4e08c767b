"""Held-out accuracy of tickets, with batch norm made right first.

The statistics of an interpolated network are wrong. Re-estimating them on a few hundred fixed
training images before scoring costs a hundredth of a pass over the training set.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.tickets import Ticket
from lp_core.training.evaluation import right

Batches = Sequence[tuple[Tensor, Tensor]]


class HeldOut:
    """Scores tickets of one architecture on one held-out set: `score = HeldOut(…); score(ticket)`.

    The network lends its architecture; its parameters are the same before and after a call.
    """

    def __init__(
        self,
        model: nn.Module,
        slices: Sequence[Batches],
        calibration: Iterable[Tensor],
        compute: Compute,
        final: Iterable[Tensor] = (),
    ) -> None:
        """
        slices: the held-out set in disjoint class-balanced pieces, each a list of batches
        (images float B×C×H×W normalised, labels int64 B), on the device.
        calibration: batches of training images to re-estimate batch norm on before a ticket is
        scored; empty leaves the averaged statistics as they are. final: more of them, for
        `finish`.
        """
        self.model = compute.place(model)
        self.compute = compute
        self.calibration = list(calibration)
        self.final = list(final) or self.calibration
        self._batches = slices
        self.slices = [range(sum(len(labels) for _, labels in piece)) for piece in slices]

    def __call__(self, ticket: Ticket) -> float:
        """Accuracy 0–1 on the whole held-out set."""
        ticket = self.calibrate(ticket)
        correct = sum(self.judge(ticket, piece)[0] for piece in range(len(self.slices)))
        return correct / sum(len(piece) for piece in self.slices)

    def calibrate(self, ticket: Ticket) -> Ticket:
        """The ticket with batch-norm statistics of its own, if it has only averaged ones.

        A trained ticket keeps what training gave it. Deterministic.
        """
        return self._re_estimate(ticket, self.calibration)

    def finish(self, ticket: Ticket) -> Ticket:
        """The same for the ticket that a search ended with: on more images, since only once."""
        return self._re_estimate(ticket, self.final)

    @torch.no_grad()
    def _re_estimate(self, ticket: Ticket, batches: list[Tensor]) -> Ticket:
        if ticket.meta.get("batch_norm") != "averaged" or not batches:
            return ticket
        norms = [m for m in self.model.modules() if isinstance(m, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        with self._showing(ticket):
            for norm in norms:
                norm.train()
                norm.reset_running_stats()
            seen = 0
            for batch in batches:
                seen += len(batch)
                for norm in norms:
                    norm.momentum = len(batch) / seen  # a mean in which every image weighs alike
                self.model(batch)
            buffers = {n: b.detach().clone() for n, b in self.model.named_buffers()}
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return replace(ticket, buffers=buffers, meta=ticket.meta | {"batch_norm": "re-estimated"})

    @torch.no_grad()
    def judge(self, ticket: Ticket, piece: int) -> tuple[int, float]:
        """How many images of slice `piece` the ticket gets right, and its summed loss on them."""
        total = torch.zeros(2, dtype=torch.float64, device=self.compute.device)
        with self._showing(ticket):
            for images, labels in self._batches[piece]:
                logits = self.model(images).float()
                total[0] += right(logits, labels).sum()
                total[1] += nn.functional.cross_entropy(logits, labels, reduction="sum")
        correct, loss = total.tolist()
        return int(correct), loss

    @contextmanager
    def _showing(self, ticket: Ticket) -> Iterator[None]:
        # The network evaluates with the ticket's own tensors: no copy where they lie on the device
        # already, as they do throughout a search. It gets its own back, or whoever trains or loads
        # into it next would write into the ticket.
        placed = ticket.to(self.compute.device, self.compute.layout)
        parameters = dict(self.model.named_parameters())
        own = {name: parameter.data for name, parameter in parameters.items()}
        for name, buffer in self.model.named_buffers():
            buffer.copy_(placed.buffers[name])
        self.model.eval()
        try:
            for name, parameter in parameters.items():
                parameter.data = placed.weights[name]
            with self.compute.autocast():
                yield
        finally:
            for name, parameter in parameters.items():
                parameter.data = own[name]
