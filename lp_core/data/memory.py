"""Training batches from a set that fits in memory: one uint8 tensor on the training device.

Neither worker processes nor image objects take part: shuffling is an index, and cropping, flipping
and normalising are batched tensor code, so that the loader costs a small part of a training step.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from lp_core.data.augment import Draws, crop_and_flip, draw
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.epoch import Batch, EpochCut, epoch_order
from lp_core.data.normalise import Normaliser, nhwc
from lp_core.data.store import Split
from lp_core.errors import InputError


class MemoryLoader:
    """Shuffled, augmented, normalised batches of one split.

    split:      uint8 images; on the CPU they are used where they lie, memory-mapped or not.
    mean, std:  per channel, of images scaled to 0-1.
    batch_size: images in one step of the optimiser, over all `world` processes together.
    subset:     indices of the samples to train on; None for all.

    Raises InputError where a batch cannot be filled or shared, or a crop may miss the image.
    """

    def __init__(
        self,
        split: Split,
        mean: list[float],
        std: list[float],
        batch_size: int,
        augment: AugmentSpec,
        device: torch.device | str,
        rank: int = 0,
        world: int = 1,
        subset: Tensor | None = None,
    ) -> None:
        count = len(split) if subset is None else len(subset)
        self._cut = EpochCut(count, batch_size, rank, world)
        side = min(split.images.shape[2:])
        if augment.crop >= side:
            raise InputError(
                f"train.augment.crop is {augment.crop}, but images have {side} pixels a side; "
                f"give at most {side - 1}"
            )
        self._subset = subset
        self._augment = augment
        self._device = torch.device(device)
        self._images = nhwc(split.images).to(self._device)
        self._labels = split.labels.to(self._device)
        self._normalise = Normaliser(mean, std, self._device)

    def __len__(self) -> int:
        """Batches in an epoch; images that fill no whole batch are left out of it."""
        return len(self._cut)

    def epoch(self, seed: int) -> Iterator[Batch]:
        """One pass in an order and with an augmentation that depend on `seed` alone.

        Yields this process's share of each batch.
        """
        generator = torch.Generator().manual_seed(seed)
        order = epoch_order(self._cut.count, self._subset, generator).to(self._device)
        draws = draw(self._cut.count, self._augment, generator)
        corners, flips = draws.corners.to(self._device), draws.flips.to(self._device)
        for places in self._cut.shares():
            chosen = order[places]
            images = crop_and_flip(
                self._images.index_select(0, chosen),
                Draws(corners[places], flips[places]),
                self._augment,
            )
            yield Batch(self._normalise(images), self._labels[chosen], chosen)
