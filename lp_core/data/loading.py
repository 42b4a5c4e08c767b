"""The one place where training and evaluation ask for images, streamed or in memory."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.crops import centre_crop
from lp_core.data.images import Picture, read_all
from lp_core.data.memory import MemoryLoader
from lp_core.data.normalise import Normaliser, nhwc
from lp_core.data.store import Dataset, Listing, Split
from lp_core.data.stream import StreamLoader

EVAL_BATCH = 500  # images at a time wherever nothing is trained


def train_loader(
    dataset: Dataset,
    batch_size: int,
    augment: AugmentSpec,
    device: torch.device | str,
    rank: int = 0,
    world: int = 1,
    workers: int | None = None,
    subset: NDArray[np.int64] | Tensor | None = None,
) -> MemoryLoader | StreamLoader:
    """The loader of the training split: `len(loader)` batches from each `loader.epoch(seed)`.

    batch_size: images in one step of the optimiser, over all `world` processes together.
    workers:    decoding processes of a streamed set (None: this process's share of the cores); a
                set in memory needs none.
    subset:     indices of the samples to train on; None for all.
    """
    if subset is not None:
        subset = torch.as_tensor(subset, dtype=torch.int64)
    mean, std = dataset.mean, dataset.std
    if dataset.streamed:
        listing, size = dataset.listing("train"), dataset.input_shape[1]
        return StreamLoader(
            listing, size, mean, std, batch_size, augment, device, rank, world, workers, subset
        )
    split = dataset.split("train")
    return MemoryLoader(split, mean, std, batch_size, augment, device, rank, world, subset)


def load_images(
    dataset: Dataset, split_name: str, indices: NDArray[np.int64] | Tensor | None = None
) -> Split:
    """One split, or the images of it at `indices` in their order, as uint8 in memory.

    The whole split of an unstreamed set stays mapped from its file; images of a streamed set are
    decoded and cropped as for evaluation. Raises InputError naming a file that cannot be read.
    """
    if dataset.streamed:
        chosen = _as_indices(indices, len(dataset.labels(split_name)))
        return _decode(dataset.listing(split_name), chosen, dataset.input_shape[1])
    split = dataset.split(split_name)
    if indices is None:
        return split
    chosen = _as_indices(indices, len(split))
    return Split(nhwc(split.images)[chosen].permute(0, 3, 1, 2), split.labels[chosen])


def eval_batches(
    dataset: Dataset,
    split_name: str,
    batch_size: int,
    device: torch.device | str,
    indices: NDArray[np.int64] | Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a split (or of `indices` into it), in order, without augmentation, normalised.

    Yields images (float32, B×C×H×W, channels_last) and labels (int64, B) on `device`; the last
    batch may be smaller. Of a streamed set only one batch at a time is decoded.
    """
    if dataset.streamed:
        whole = _as_indices(indices, len(dataset.labels(split_name)))
        normalise = Normaliser(dataset.mean, dataset.std, device)
        for chosen in whole.split(batch_size):
            part = load_images(dataset, split_name, chosen)
            yield normalise(nhwc(part.images).to(device)), part.labels.to(device)
        return
    split = load_images(dataset, split_name, indices)
    yield from normalised_batches(
        split.images, split.labels, dataset.mean, dataset.std, batch_size, device
    )


def normalised_batches(
    images: Tensor,
    labels: Tensor,
    mean: list[float],
    std: list[float],
    batch_size: int,
    device: torch.device | str,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of images that are in memory (uint8, N×C×H×W), as `eval_batches` gives them."""
    normalise = Normaliser(mean, std, device)
    for start in range(0, len(labels), batch_size):
        stop = start + batch_size
        yield normalise(nhwc(images[start:stop]).to(device)), labels[start:stop].to(device)


class PixelBatches:
    """Images kept on the device as uint8, for what is evaluated again and again: each iteration
    yields all of `normalised_batches` anew. As float32 they would take four times the memory."""

    def __init__(
        self,
        split: Split,
        mean: list[float],
        std: list[float],
        batch_size: int,
        device: torch.device | str,
    ) -> None:
        self._split = Split(split.images.to(device), split.labels.to(device))
        self._how = (mean, std, batch_size, device)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from normalised_batches(self._split.images, self._split.labels, *self._how)


def _as_indices(indices: NDArray[np.int64] | Tensor | None, count: int) -> Tensor:
    return torch.arange(count) if indices is None else torch.as_tensor(indices, dtype=torch.int64)


def _decode(listing: Listing, indices: Tensor, size: int) -> Split:
    paths = [listing.path(index) for index in indices.tolist()]
    pictures = [Picture(path, path) for path in paths]
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)
    for place, pixels in enumerate(read_all(pictures, lambda image: centre_crop(image, size))):
        images[place] = pixels
    return Split(torch.from_numpy(images).permute(0, 3, 1, 2), listing.labels[indices])
