"""The sets that torchvision knows: CIFAR-10 and -100, MNIST and EuroSAT; downloaded on request."""

from typing import Any

import numpy as np

from lp_core import torchvision_ops
from lp_core.data.images import Picture
from lp_core.data.sources.examples import Examples, Published
from lp_core.errors import MissingInputError

_CLASSES = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "mnist": "MNIST", "eurosat": "EuroSAT"}


def read_torchvision(source: str, path: str, download: bool) -> Published:
    """One of torchvision's sets from the folder `path`, or into it where `download` is true.

    EuroSAT has no published split and comes as `train` alone.
    Raises MissingInputError where the set is not there whole and was not to be downloaded.
    """
    torchvision_ops.declare_missing_operators()
    from torchvision import datasets

    reader = getattr(datasets, _CLASSES[source])
    try:
        if source == "eurosat":
            return _from_files(reader(path, download=download))
        train = reader(path, train=True, download=download)
        test = reader(path, train=False, download=download)
    except (RuntimeError, FileNotFoundError) as error:
        if download:
            raise
        raise MissingInputError(
            f"{path} does not hold {_CLASSES[source]}, or not all of it; set download: true to "
            "fetch it there, or name the folder that has it"
        ) from error
    return Published(
        list(train.classes), {"train": _from_arrays(train), "test": _from_arrays(test)}
    )


def _from_arrays(dataset: Any) -> Examples:
    images = np.asarray(dataset.data, dtype=np.uint8)
    if images.ndim == 3:  # MNIST has no axis for its one channel
        images = images[..., None]
    return Examples(images, np.asarray(dataset.targets, dtype=np.int64))


def _from_files(dataset: Any) -> Published:
    pictures = [Picture(path, path) for path, _ in dataset.samples]
    labels = np.array([label for _, label in dataset.samples], dtype=np.int64)
    return Published(list(dataset.classes), {"train": Examples(pictures, labels)})
