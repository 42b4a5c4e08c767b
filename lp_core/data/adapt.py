"""A data set as the input of a network that was made for another one.

SGD noise transfers frozen tickets to other data sets (section 5.1, Table 6): images are resized to
what the network was trained on, and normalised by the mean and deviation of their own set.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from lp_core.data.crops import resize
from lp_core.data.images import as_array, as_image
from lp_core.data.loading import load_images
from lp_core.data.normalise import mean_and_std, nhwc
from lp_core.data.store import SPLITS, Dataset, Split
from lp_core.data.subsets import balanced_indices
from lp_core.errors import InputError

_AT_A_TIME = 1024  # images of a streamed set that are decoded together
# Images that stand for a streamed set's mean and deviation, as when it was made.
_SAMPLE = 10_000


def adapted(dataset: Dataset, channels: int, size: int | Sequence[int]) -> Dataset:
    """The same images and labels with `channels` channels (1 or 3) at another size.

    size: side in pixels, or [height, width]; images of another shape lose the ends of their longer
    side. Grey spreads over three channels; colour becomes its luma (ITU-R 601). mean and std are
    those of the converted training images. A set that has that shape already is returned as it is.
    A streamed set stays one where it stays square and in colour; otherwise its converted images are
    held in memory. Raises InputError for other numbers of channels.
    """
    if channels not in (1, 3):
        raise InputError(f"channels is {channels}; images are grey (1) or in colour (3)")
    height, width = (size, size) if isinstance(size, int) else size
    if dataset.input_shape == (channels, height, width):
        return dataset
    side = height if height == width else [height, width]
    if dataset.streamed and channels == 3 and isinstance(side, int):
        return _streamed(dataset, side)
    parts = {name: _converted(dataset, name, channels, (height, width)) for name in SPLITS}
    mean, std = mean_and_std(nhwc(parts["train"].images).numpy())
    return replace(dataset, channels=channels, size=side, mean=mean, std=std, parts=parts)


def _streamed(dataset: Dataset, side: int) -> Dataset:
    resized = replace(dataset, size=side)
    labels = dataset.labels("train").numpy()
    sample = balanced_indices(labels, min(_SAMPLE, len(labels)), seed=0)
    mean, std = mean_and_std(nhwc(load_images(resized, "train", sample).images).numpy())
    return replace(resized, mean=mean, std=std)


def _converted(dataset: Dataset, split_name: str, channels: int, shape: tuple[int, int]) -> Split:
    labels = dataset.labels(split_name)
    converted = np.empty((len(labels), *shape, channels), dtype=np.uint8)
    for chosen in torch.arange(len(labels)).split(_AT_A_TIME):
        pixels = nhwc(load_images(dataset, split_name, chosen).images).numpy()
        for place, one in zip(chosen.tolist(), pixels, strict=True):
            image = as_image(one)
            if channels == 1:
                image = image.convert("L")
            converted[place] = as_array(resize(image, shape))
    return Split(torch.from_numpy(converted).permute(0, 3, 1, 2), labels)
