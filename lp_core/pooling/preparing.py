"""A data set's held-out images and calibration images, as a pool search wants them."""

from itertools import islice
from math import ceil

from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.augment import AugmentSpec
from lp_core.data.loading import EVAL_BATCH, load_images, normalised_batches, train_loader
from lp_core.data.store import Dataset
from lp_core.data.subsets import balanced_slices
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.spec import PoolSpec

_CALIBRATION_BATCH = 128
# Cumulative shares of the held-out set after each slice of a halving.
_SLICES = [1 / 8, 1 / 4, 1 / 2, 1.0]


def prepare(
    model: nn.Module,
    dataset: Dataset,
    spec: PoolSpec,
    augment: AugmentSpec,
    seed: int,
    compute: Compute,
) -> HeldOut:
    """Scores tickets on the held-out split, in class-balanced slices.

    model: of the tickets' architecture. augment, seed: of the training images that batch norm is
    re-estimated on: augmented as in training, since a network expects the statistics that it was
    trained with, but always the same ones, so that a search can be repeated.
    """
    searching, final = _calibration(dataset, spec, augment, seed, compute)
    val = load_images(dataset, "val")
    how = (dataset.mean, dataset.std, EVAL_BATCH, compute.device)
    slices = [
        list(normalised_batches(val.images[piece], val.labels[piece], *how))
        for piece in balanced_slices(val.labels.numpy(), _SLICES, seed=0)
    ]
    return HeldOut(model, slices, searching, compute, final)


def _calibration(
    dataset: Dataset, spec: PoolSpec, augment: AugmentSpec, seed: int, compute: Compute
) -> tuple[list[Tensor], list[Tensor]]:
    if spec.batch_norm == "average":
        return [], []
    size = min(_CALIBRATION_BATCH, len(dataset.labels("train")))
    loader = train_loader(dataset, size, augment, compute.device)
    wanted = (spec.calibration_images, spec.final_calibration_images)
    few, many = (min(len(loader), ceil(images / size)) for images in wanted)
    batches = [images for images, _ in islice(loader.epoch(seed), max(few, many))]
    return batches[:few], batches[:many]
