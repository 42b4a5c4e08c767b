"""Held-out accuracy of tickets, with batch norm made right first.

An interpolated ticket is judged with re-estimated statistics. A trained one is judged with its own
or with re-estimated ones, whichever are more accurate: an interpolation that beats it has not done
so by re-estimation alone. The statistics that a ticket was judged with are those that it keeps.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
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

# Cumulative shares of the held-out set after each slice of a halving, and the seed that draws which
# images are in which.
_SLICES = [1 / 8, 1 / 4, 1 / 2, 1.0]
SLICES_SEED = 0

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
        best_coefficient: BestCoefficient = exhaustive,
    ) -> None:
        """
        slices: the held-out set in disjoint class-balanced pieces, each of which gives its batches
        (images float B×C×H×W normalised, labels int64 B, on the device) as often as it is iterated:
        a list, or `PixelBatches`, which keep a quarter of the bytes.
        calibration: batches of training images to re-estimate batch norm on; empty leaves every
        ticket the statistics that it has.
        best_coefficient: how a search finds it with this score.
        """
        self.model = compute.to_device(model)
        self.compute = compute
        self.calibration = list(calibration)
        self.best_coefficient = best_coefficient
        self._batches = slices
        self.slices = [range(sum(len(labels) for _, labels in piece)) for piece in slices]

    def __call__(self, ticket: Ticket) -> float:
        """Accuracy 0–1 on the whole held-out set."""
        return max(map(self._accuracy, self._with_each_statistics(ticket)))

    def calibrate(self, ticket: Ticket) -> Ticket:
        """The ticket with the statistics that its score is measured with.

        A trained ticket keeps its own where they are at least as accurate as re-estimated ones, and
        is then returned as it is. Otherwise `meta["batch_norm"]` says `re-estimated`, or `averaged`
        where there are no images to do so, or `none` for a network that keeps no statistics.
        """
        ways = self._with_each_statistics(ticket)
        return ways[0] if len(ways) == 1 else max(ways, key=self._accuracy)

    def _with_each_statistics(self, ticket: Ticket) -> list[Ticket]:
        statistics = ticket.meta.get("batch_norm", "trained")
        if statistics == "re-estimated":
            return [ticket]
        anew = re_estimate(ticket, self.model, self.calibration, self.compute)
        both = statistics == "trained" and anew.meta.get("batch_norm") == "re-estimated"
        return [ticket, anew] if both else [anew]

    def _accuracy(self, ticket: Ticket) -> float:
        correct = sum(self.correct_and_loss(ticket, piece)[0] for piece in range(len(self.slices)))
        return correct / sum(len(piece) for piece in self.slices)

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
    calibration: list[Tensor] = []
    if spec.batch_norm == "re-estimate":
        calibration = calibration_batches(dataset, spec.calibration_images, augment, seed, compute)
    how = (dataset.mean, dataset.std, EVAL_BATCH, compute.device)
    slices = [
        PixelBatches(load_images(dataset, "val", piece), *how)
        for piece in slices_of(dataset.labels("val"))
    ]
    return HeldOut(model, slices, calibration, compute, best_coefficient_by(spec))


def slices_of(labels: Tensor) -> list[NDArray[np.int64]]:
    """The images of each slice of a held-out set, always the same. labels: int64, N."""
    return balanced_slices(labels.numpy(), _SLICES, SLICES_SEED)


def best_coefficient_by(spec: ScoringSpec) -> BestCoefficient:
    """How a search is to find the best coefficient."""
    return successive_halving if spec.search == "halving" else exhaustive
