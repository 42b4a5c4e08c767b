"""What every reader returns: labelled images by published split, not yet decoded where encoded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_core.data.images import Picture


@dataclass(frozen=True)
class Examples:
    """images: uint8 N×H×W×C, or encoded pictures; labels: int64, N."""

    images: NDArray[np.uint8] | list[Picture]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Examples":
        """The examples at `indices`, in that order."""
        images = self.images
        if isinstance(images, list):
            return Examples([images[index] for index in indices], self.labels[indices])
        return Examples(images[indices], self.labels[indices])


@dataclass(frozen=True)
class Published:
    """A set as published: class names by label; the split `train`, perhaps `val` and `test`."""

    classes: list[str]
    splits: dict[str, Examples]
