"""A data set's held-out images and calibration images, as a pool search wants them."""

from math import ceil

from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.loading import EVAL_BATCH, PixelBatches, load_images
from lp_core.data.store import Dataset
from lp_core.data.subsets import balanced_slices
from lp_core.pooling.batch_norm import calibration_batches
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.spec import PoolSpec

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
    re-estimated on (see `calibration_batches`).
    """
    searching, final = _calibration(dataset, spec, augment, seed, compute)
    how = (dataset.mean, dataset.std, EVAL_BATCH, compute.device)
    slices = [
        PixelBatches(load_images(dataset, "val", piece), *how)
        for piece in balanced_slices(dataset.labels("val").numpy(), _SLICES, seed=0)
    ]
    return HeldOut(model, slices, searching, compute, final)


def _calibration(
    dataset: Dataset, spec: PoolSpec, augment: AugmentSpec, seed: int, compute: Compute
) -> tuple[list[Tensor], list[Tensor]]:
    if spec.batch_norm == "average":
        return [], []
    wanted = (spec.calibration_images, spec.final_calibration_images)
    batches = calibration_batches(dataset, max(wanted), augment, seed, compute)
    few, many = (batches[: ceil(images / len(batches[0]))] for images in wanted)
    return few, many
