"""Held-out accuracy of tickets, with batch norm made right first."""

from collections.abc import Iterable, Sequence
from math import ceil

import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import EVAL_BATCH, PixelBatches, load_images
from lp_core.data.store import Dataset
from lp_core.data.subsets import balanced_slices
from lp_core.pooling.batch_norm import calibration_batches, re_estimate, weights_swapped_in
from lp_core.pooling.coefficients import BestCoefficient, exhaustive, successive_halving
from lp_core.pooling.spec import ScoringSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import float32_logits, is_correct

# Cumulative shares of the held-out set after each slice of a halving.
_SLICES = [1 / 8, 1 / 4, 1 / 2, 1.0]

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
        best_coefficient: BestCoefficient = exhaustive,
    ) -> None:
        """
        slices: the held-out set in disjoint class-balanced pieces, each of which gives its batches
        (images float B×C×H×W normalised, labels int64 B, on the device) as often as it is iterated:
        a list, or `PixelBatches`, which keep a quarter of the bytes.
        calibration: batches of training images to re-estimate batch norm on before a ticket is
        scored; empty leaves the averaged statistics as they are. final: more of them, for the
        ticket that a search ends with.
        best_coefficient: how a search finds it with this score.
        """
        self.model = compute.to_device(model)
        self.compute = compute
        self.calibration = list(calibration)
        self.final = list(final) or self.calibration
        self.best_coefficient = best_coefficient
        self._batches = slices
        self.slices = [range(sum(len(labels) for _, labels in piece)) for piece in slices]

    def __call__(self, ticket: Ticket) -> float:
        """Accuracy 0–1 on the whole held-out set."""
        ticket = self.calibrate(ticket)
        correct = sum(self.correct_and_loss(ticket, piece)[0] for piece in range(len(self.slices)))
        return correct / sum(len(piece) for piece in self.slices)

    def calibrate(self, ticket: Ticket) -> Ticket:
        """The ticket with batch-norm statistics of its own, if it has only averaged ones."""
        return re_estimate(ticket, self.model, self.calibration, self.compute)

    def calibrate_final(self, ticket: Ticket) -> Ticket:
        """The same for the ticket that a search ended with: on more images, since only once."""
        return re_estimate(ticket, self.model, self.final, self.compute)

    @torch.no_grad()
    def correct_and_loss(self, ticket: Ticket, piece: int) -> tuple[int, float]:
        """How many images of slice `piece` the ticket gets right, and its summed loss on them."""
        total = torch.zeros(2, dtype=torch.float64, device=self.compute.device)
        with weights_swapped_in(ticket, self.model, self.compute), float32_logits(self.model):
            for images, labels in self._batches[piece]:
                logits = self.model(images).float()
                total[0] += is_correct(logits, labels).sum()
                total[1] += nn.functional.cross_entropy(logits, labels, reduction="sum")
        correct, loss = total.tolist()
        return int(correct), loss


def held_out_for(
    model: nn.Module,
    dataset: Dataset,
    spec: ScoringSpec,
    augment: AugmentSpec,
    seed: int,
    compute: Compute,
) -> HeldOut:
    """The score on a data set's held-out split, in class-balanced slices, that settings describe.

    model: of the tickets' architecture. augment, seed: of the training images that batch norm is
    re-estimated on (see `calibration_batches`).
    """
    searching, final = _calibration(dataset, spec, augment, seed, compute)
    how = (dataset.mean, dataset.std, EVAL_BATCH, compute.device)
    slices = [
        PixelBatches(load_images(dataset, "val", piece), *how)
        for piece in balanced_slices(dataset.labels("val").numpy(), _SLICES, seed=0)
    ]
    best_coefficient = successive_halving if spec.search == "halving" else exhaustive
    return HeldOut(model, slices, searching, compute, final, best_coefficient)


def _calibration(
    dataset: Dataset, spec: ScoringSpec, augment: AugmentSpec, seed: int, compute: Compute
) -> tuple[list[Tensor], list[Tensor]]:
    """Training images to re-estimate on, in batches: for each score, and for the pooled ticket."""
    if spec.batch_norm == "average":
        return [], []
    wanted = (spec.calibration_images, spec.final_calibration_images)
    batches = calibration_batches(dataset, max(wanted), augment, seed, compute)
    few, many = (batches[: ceil(images / len(batches[0]))] for images in wanted)
    return few, many
