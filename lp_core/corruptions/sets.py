"""The corrupted test images of a data set: generated from its test split, or the official files."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.spec import CorruptSpec
from lp_core.data.subsets import balanced_indices
from lp_core.errors import InputError, MissingInputError


def chosen_images(labels: np.ndarray, spec: CorruptSpec) -> np.ndarray:
    """Positions in the test split of the images that are corrupted (sorted, int64)."""
    if spec.images is None or spec.images >= len(labels):
        return np.arange(len(labels))
    return balanced_indices(labels, spec.images, spec.seed)


def generated(images: np.ndarray, spec: CorruptSpec) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    """Each corruption's name and, severity by severity, its images (uint8, N×H×W×C).

    images: the clean ones, of that shape. Each severity is made when it is asked for.
    """
    for name in spec.corruptions:
        yield name, map(partial(corrupt, images, name, seed=spec.seed), spec.severities)


def what_they_compare_with(height: int, width: int) -> str:
    """Which published numbers generated images of that size stand beside, for the user to read."""
    if (height, width) == (32, 32):
        return "as CIFAR-10-C and CIFAR-100-C are made"
    return (
        f"images are {height}×{width}, and CIFAR-C's constants for 32×32 are scaled to them: "
        "comparable with no published number, neither ImageNet-C's nor Tiny ImageNet-C's"
    )


def official(
    labels: np.ndarray, shape: tuple[int, int, int], chosen: np.ndarray, spec: CorruptSpec
) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    """The same from a folder such as CIFAR-10-C.

    labels: of the whole test split, which must be in the official order; shape: H×W×C of one image;
    chosen: positions in the split. Raises, before the first is given, MissingInputError for a
    missing file, InputError for one that does not fit.
    """
    folder = Path(spec.path)
    published, count = _array(folder / "labels.npy"), len(labels)
    fits = published.shape in ((count,), (5 * count,))
    if not fits or not (published.reshape(-1, count) == labels).all():
        raise InputError(
            f"{folder / 'labels.npy'}: its labels, {published.dtype} {published.shape}, are not "
            f"those of the {count} test images; name the corrupted set of this data set, and leave "
            "the test split in its published order"
        )
    sets = {name: _array(folder / f"{name}.npy") for name in spec.corruptions}
    for name, whole in sets.items():
        if whole.shape != (5 * count, *shape) or whole.dtype != np.uint8:
            raise InputError(
                f"{folder / name}.npy: is {whole.dtype} {whole.shape}; it must be uint8 "
                f"{(5 * count, *shape)}: 5 severities × {count} images"
            )
    for name, whole in sets.items():
        rows = [(severity - 1) * count + chosen for severity in spec.severities]
        yield name, map(whole.__getitem__, rows)


def _array(path: Path) -> np.ndarray:
    if not path.is_file():
        raise MissingInputError(
            f"{path}: not there; path must name the folder of the official .npy files"
        )
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).partition(". ")[0]  # NumPy goes on to say how to trust a pickle
        raise InputError(f"{path} is not a whole array ({reason}); fetch it again") from error
    return array
