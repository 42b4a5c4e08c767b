"""Held-out accuracy of tickets, with batch norm made right first.

The statistics of an interpolated network are wrong (DESIGN §7). Re-estimating them on a few
hundred fixed training images before scoring costs a hundredth of a pass over the training set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.tickets import Ticket

Batches = Sequence[tuple[Tensor, Tensor]]


class HeldOut:
    """Scores tickets of one architecture on one held-out set: `score = HeldOut(…); score(ticket)`.

    The network's own weights are only a place: a ticket's tensors are put there, not copied.
    """

    def __init__(
        self,
        model: nn.Module,
        slices: Sequence[Batches],
        calibration: Iterable[Tensor],
        compute: Compute,
    ) -> None:
        """
        slices: the held-out set in disjoint class-balanced pieces, each a list of batches
        (images float B×C×H×W normalised, labels int64 B), on the device.
        calibration: batches of training images to re-estimate batch norm on; empty leaves the
        averaged statistics as they are.
        """
        self.model = compute.place(model)
        self.compute = compute
        self.calibration = list(calibration)
        self._batches = slices
        self.slices = [range(sum(len(labels) for _, labels in piece)) for piece in slices]

    def __call__(self, ticket: Ticket) -> float:
        """Accuracy 0–1 on the whole held-out set."""
        ticket = self.calibrate(ticket)
        correct = sum(self.correct(ticket, piece) for piece in range(len(self.slices)))
        return correct / sum(len(piece) for piece in self.slices)

    @torch.no_grad()
    def calibrate(self, ticket: Ticket) -> Ticket:
        """The ticket with batch-norm statistics of its own, if it has only averaged ones.

        A trained ticket keeps what training gave it. Deterministic.
        """
        if ticket.meta.get("batch_norm") != "averaged" or not self.calibration:
            return ticket
        norms = [m for m in self.model.modules() if isinstance(m, nn.BatchNorm2d)]
        self._show(ticket)
        self.model.eval()
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
        with self.compute.autocast():
            for images in self.calibration:
                self.model(images)
        buffers = {n: b.detach().clone() for n, b in self.model.named_buffers()}
        return replace(ticket, buffers=buffers, meta=ticket.meta | {"batch_norm": "re-estimated"})

    @torch.no_grad()
    def correct(self, ticket: Ticket, piece: int) -> int:
        """Number of images of slice `piece` that the ticket gets right."""
        self._show(ticket)
        self.model.eval()
        right = torch.zeros((), dtype=torch.long, device=self.compute.device)
        with self.compute.autocast():
            for images, labels in self._batches[piece]:
                right += (self.model(images).argmax(1) == labels).sum()
        return int(right)

    def _show(self, ticket: Ticket) -> None:
        # Puts the ticket's own tensors into the network: no copy where they lie on the device
        # already, as they do throughout a search.
        placed = ticket.to(self.compute.device, self.compute.layout)
        for name, parameter in self.model.named_parameters():
            parameter.data = placed.weights[name]
        for name, buffer in self.model.named_buffers():
            buffer.copy_(placed.buffers[name])
