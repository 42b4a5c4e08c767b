"""Held-out accuracy of tickets, with batch norm made right first."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.pooling.batch_norm import re_estimate, weights_swapped_in
from lp_core.tickets import Ticket
from lp_core.training.evaluation import float32_logits, is_correct

Batches = Iterable[tuple[Tensor, Tensor]]


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
        slices: the held-out set in disjoint class-balanced pieces, each of which gives its batches
        (images float B×C×H×W normalised, labels int64 B, on the device) as often as it is iterated:
        a list, or `PixelBatches`, which keep a quarter of the bytes.
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
        """The ticket with batch-norm statistics of its own, if it has only averaged ones."""
        return re_estimate(ticket, self.model, self.calibration, self.compute)

    def finish(self, ticket: Ticket) -> Ticket:
        """The same for the ticket that a search ended with: on more images, since only once."""
        return re_estimate(ticket, self.model, self.final, self.compute)

    @torch.no_grad()
    def judge(self, ticket: Ticket, piece: int) -> tuple[int, float]:
        """How many images of slice `piece` the ticket gets right, and its summed loss on them."""
        total = torch.zeros(2, dtype=torch.float64, device=self.compute.device)
        with weights_swapped_in(ticket, self.model, self.compute), float32_logits(self.model):
            for images, labels in self._batches[piece]:
                logits = self.model(images).float()
                total[0] += is_correct(logits, labels).sum()
                total[1] += nn.functional.cross_entropy(logits, labels, reduction="sum")
        correct, loss = total.tolist()
        return int(correct), loss
