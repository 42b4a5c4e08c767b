"""Makes a data set: reads a source, splits it, decodes and resizes its images, measures them."""

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lp_core.data.crops import centre_crop, resize
from lp_core.data.images import Picture, as_array, as_image, read_all, require_file
from lp_core.data.normalise import mean_and_std
from lp_core.data.sources.arrow import read_arrow
from lp_core.data.sources.digits import read_digits
from lp_core.data.sources.examples import Examples, Published
from lp_core.data.sources.folder import read_folder, read_imagenet
from lp_core.data.sources.parquet import read_parquet
from lp_core.data.sources.torchvision_sets import read_torchvision
from lp_core.data.spec import DatasetSpec
from lp_core.data.splits import three_splits
from lp_core.data.store import Dataset, Listing, Split
from lp_core.data.subsets import balanced_indices
from lp_core.errors import InputError

# Images whose mean and deviation stand for a streamed set's: the error of a mean is below 0.002.
_SAMPLE = 10_000


def build_dataset(name: str, spec: DatasetSpec) -> Dataset:
    """Reads and splits the set that `spec` describes; `Dataset.save` stores it.

    Where any image is in colour all become so; a streamed set is always in colour.
    Raises MissingInputError for a missing folder or download, and InputError for an image that
    cannot be read, a label out of range, a class without images, sizes that differ, or where there
    are not as many classes or images as the spec asks for.
    """
    published = _first_classes(_read(spec), spec.classes)
    _require_every_class(published, spec.path)
    most = {"train": spec.train_images, "test": spec.test_images}
    splits = three_splits(published.splits, spec.val_fraction, spec.test_fraction, spec.seed, most)
    if spec.stream:
        return _streamed(name, published.classes, splits, spec)
    arrays = _decode(splits, spec.size)
    height, width, channels = arrays["train"].shape[1:]
    mean, std = _normalisation(spec, arrays["train"])
    return Dataset(
        name=name,
        classes=published.classes,
        channels=channels,
        size=height if height == width else [height, width],
        mean=mean,
        std=std,
        parts={
            split: Split(
                torch.from_numpy(arrays[split]).permute(0, 3, 1, 2),
                torch.from_numpy(examples.labels),
            )
            for split, examples in splits.items()
        },
    )


def _read(spec: DatasetSpec) -> Published:
    if spec.source == "digits":
        return read_digits()
    if spec.source == "parquet":
        return read_parquet(spec.path, spec.image_column, spec.label_column)
    if spec.source == "arrow":
        return read_arrow(spec.path, spec.image_column, spec.label_column)
    if spec.source == "folder":
        return read_folder(spec.path)
    if spec.source == "imagenet":
        return read_imagenet(spec.path)
    return read_torchvision(spec.source, spec.path, spec.download)


def _first_classes(published: Published, count: int | None) -> Published:
    known = len(published.classes)
    if count is None:
        return published
    if count > known:
        raise InputError(f"classes is {count}; there are {known}; give at most as many, or null")
    # A label that is out of range stays, to be found as such.
    kept = {
        name: examples.take(
            np.flatnonzero(~((examples.labels >= count) & (examples.labels < known)))
        )
        for name, examples in published.splits.items()
    }
    return Published(published.classes[:count], kept)


def _require_every_class(published: Published, path: str) -> None:
    known = len(published.classes)
    for split, examples in published.splits.items():
        wrong = np.flatnonzero((examples.labels < 0) | (examples.labels >= known))
        if len(wrong):
            raise InputError(
                f"{path}: label {examples.labels[wrong[0]]} of {split}'s image {wrong[0]} is out "
                f"of range; there are {known} classes, numbered from 0"
            )
    counts = np.bincount(published.splits["train"].labels, minlength=known)
    empty = [name for name, count in zip(published.classes, counts, strict=True) if not count]
    if empty:
        raise InputError(
            f"{path}: class {empty[0]} has no training image ({len(empty)} such classes); "
            "add some, or leave the class out"
        )


def _decode(splits: dict[str, Examples], size: int | None) -> dict[str, NDArray[np.uint8]]:
    images = {name: _pixels(examples, size) for name, examples in splits.items()}
    channels = max(pixels.shape[2] for part in images.values() for pixels in part)
    expected = images["train"][0].shape[:2]
    arrays = {}
    for name, part in images.items():
        arrays[name] = np.empty((len(part), *expected, channels), dtype=np.uint8)
        for index, pixels in enumerate(part):
            if pixels.shape[:2] != expected:
                raise InputError(
                    f"{_name(splits[name], index)} has {pixels.shape[0]}×{pixels.shape[1]} pixels, "
                    f"where others have {expected[0]}×{expected[1]}; set size to resize them all"
                )
            arrays[name][index] = pixels  # grey spreads over the three channels
    return arrays


def _pixels(examples: Examples, size: int | None) -> list[NDArray[np.uint8]]:
    images = examples.images
    if isinstance(images, list):
        return list(read_all(images, lambda image: resize(image, size)))
    if size is None or images.shape[1:3] == (size, size):
        return list(images)
    return [as_array(resize(as_image(pixels), size)) for pixels in images]


def _name(examples: Examples, index: int) -> str:
    picture = examples.images[index]
    return picture.where if isinstance(picture, Picture) else f"image {index}"


def _normalisation(spec: DatasetSpec, images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """As stated, or as these images (N×H×W×C) have it."""
    if spec.mean is None or spec.std is None:
        return mean_and_std(images)
    channels = images.shape[3]
    if len(spec.mean) != channels:
        raise InputError(
            f"mean has {len(spec.mean)} numbers, and so has std; the images have {channels} "
            f"channel{'s' * (channels > 1)}; give one number for each"
        )
    return spec.mean, spec.std


def _streamed(
    name: str, classes: list[str], splits: dict[str, Examples], spec: DatasetSpec
) -> Dataset:
    import pyarrow

    assert spec.size is not None  # the spec has seen to it
    size, train = spec.size, splits["train"]
    sample = train.take(balanced_indices(train.labels, min(_SAMPLE, len(train)), spec.seed))
    assert isinstance(sample.images, list)
    pixels = list(read_all(sample.images, lambda image: centre_crop(image, size)))
    mean, std = _normalisation(spec, np.stack(pixels))
    parts = {}
    for split, examples in splits.items():
        files = [_name(examples, i) for i in range(len(examples))]
        paths = [os.path.relpath(file, spec.path) for file in files]
        parts[split] = Listing(
            Path(spec.path),
            pyarrow.array(paths, pyarrow.string()),
            torch.from_numpy(examples.labels),
            torch.tensor([_size(file) for file in files], dtype=torch.int64),
        )
    return Dataset(name, classes, 3, size, mean, std, parts)


def _size(file: str) -> int:
    try:
        return require_file(file)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{file} cannot be read ({reason}); replace or remove it") from error
