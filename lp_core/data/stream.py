"""Training batches from image files: sets too large for memory are decoded while they are used.

Workers decode, crop and flip; what happens to an image depends on the epoch's seed and the image
alone, so that an epoch is the same whatever the number of workers or processes.
"""

import os
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader

from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.crops import centre_crop, random_resized_crop
from lp_core.data.epoch import Batch, EpochCut, epoch_order
from lp_core.data.images import Picture, as_array, open_picture
from lp_core.data.normalise import Normaliser
from lp_core.data.store import Listing
from lp_core.errors import InputError

_MOST_WORKERS = 16  # beyond which they only take memory


class _Batches(torch.utils.data.Dataset):
    """Makes the batch of a list of indices: uint8, B×H×W×3, labels, and the indices.

    An error comes back as a value: raised in a worker it would reach the user inside a traceback.
    """

    def __init__(self, listing: Listing, size: int, augment: AugmentSpec, seed: int) -> None:
        self._listing, self._size, self._augment, self._seed = listing, size, augment, seed

    def __getitem__(self, indices: list[int]) -> tuple[Tensor, Tensor, Tensor] | InputError:
        try:
            images = np.stack([as_array(self._image(index)) for index in indices])
        except InputError as error:
            return InputError(str(error))
        return torch.from_numpy(images), self._listing.labels[indices], torch.tensor(indices)

    def _image(self, index: int) -> Image.Image:
        path = self._listing.path(index)
        image = open_picture(Picture(path, path))
        generator = np.random.default_rng(np.random.SeedSequence([self._seed, index]))
        flip = generator.random() < 0.5
        if self._augment.crop:
            image = random_resized_crop(image, self._size, generator)
        else:
            image = centre_crop(image, self._size)
        return ImageOps.mirror(image) if flip and self._augment.flip else image


class StreamLoader:
    """Shuffled, augmented, normalised batches of one split of image files.

    size:       side of the square crops, in pixels.
    mean, std:  per channel, of images scaled to 0-1.
    batch_size: images in one step of the optimiser, over all `world` processes together.
    workers:    decoding processes; 0 decodes in this one, None takes this one's share of the
                cores. No number of them changes a batch.
    subset:     indices of the samples to train on; None for all.

    Raises InputError where a batch cannot be filled or shared.
    """

    def __init__(
        self,
        listing: Listing,
        size: int,
        mean: list[float],
        std: list[float],
        batch_size: int,
        augment: AugmentSpec,
        device: torch.device | str,
        rank: int = 0,
        world: int = 1,
        workers: int | None = None,
        subset: Tensor | None = None,
    ) -> None:
        count = len(listing) if subset is None else len(subset)
        self._cut = EpochCut(count, batch_size, rank, world)
        self._subset = subset
        self._listing, self._size, self._augment = listing, size, augment
        self._device = torch.device(device)
        self._normalise = Normaliser(mean, std, self._device)
        share = min(_MOST_WORKERS, max(1, (os.cpu_count() or 1) // world))
        self._workers = share if workers is None else workers

    def __len__(self) -> int:
        """Batches in an epoch; images that fill no whole batch are left out of it."""
        return len(self._cut)

    def epoch(self, seed: int) -> Iterator[Batch]:
        """One pass in an order and with an augmentation that depend on `seed` alone.

        Yields this process's share of each batch. Raises InputError, naming the file, where an
        image cannot be read.
        """
        generator = torch.Generator().manual_seed(seed)
        order = epoch_order(self._cut.count, self._subset, generator).tolist()
        loader: DataLoader = DataLoader(
            _Batches(self._listing, self._size, self._augment, seed),
            sampler=[order[places] for places in self._cut.shares()],
            batch_size=None,
            num_workers=self._workers,
            pin_memory=self._device.type == "cuda",
            generator=generator,  # or it would draw from the global one
        )
        for batch in loader:
            if isinstance(batch, InputError):
                raise batch
            images, labels, indices = (part.to(self._device, non_blocking=True) for part in batch)
            yield Batch(self._normalise(images), labels, indices)
