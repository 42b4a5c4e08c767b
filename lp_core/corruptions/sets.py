"""Corrupted test sets on disk: generated from the test split, or taken from the official files.

One array for each corruption, laid out as CIFAR-C is: severity after severity, the same images in
the same order in each, with one array of labels for all.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from lp_core.corruptions.apply import CORRUPTIONS, EXTRA, corrupt
from lp_core.data.subsets import balanced_indices
from lp_core.errors import InputError, MissingInputError


@dataclass(frozen=True)
class CorruptSpec:
    """Where the corrupted test set comes from, and how much of it there is.

    path: folder of the official files; read for `official` only.
    source: `generate` the set, or import the `official` .npy files from `path`.
    images: test images in each corruption and severity, class-balanced; None for all.
    corruptions: by name. severities: of 1 … 5. seed: of every random draw.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    path: str
    source: Literal["generate", "official"] = "generate"
    images: int | None = None
    corruptions: list[str] = field(default_factory=lambda: [*CORRUPTIONS, *EXTRA])
    severities: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    seed: int = 0

    def __post_init__(self) -> None:
        known = [*CORRUPTIONS, *EXTRA]
        wrong = [name for name in self.corruptions if name not in known]
        if wrong:
            raise InputError(f"corruptions has {wrong}; known are {known}")
        if not set(self.severities) <= {1, 2, 3, 4, 5}:
            raise InputError(f"severities is {self.severities}; give some of 1, 2, 3, 4, 5")
        for name in ("corruptions", "severities"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"{name} is {values}; give at least one, each once")
        if not self.path:
            raise InputError("path is empty; name a folder")
        if self.images is not None and self.images < 1:
            raise InputError(f"images is {self.images}; give at least 1, or null for all")


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


def official(
    labels: np.ndarray, chosen: np.ndarray, spec: CorruptSpec
) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    """The same from a folder such as CIFAR-10-C.

    labels: of the whole test split, which must be in the official order; chosen: positions in it.
    Raises MissingInputError for a missing file, InputError for one that does not fit.
    """
    folder = Path(spec.path)
    theirs = _array(folder / "labels.npy")
    count = len(labels)
    if len(theirs) not in (count, 5 * count) or not np.array_equal(theirs[:count], labels):
        raise InputError(
            f"{folder / 'labels.npy'}: its {len(theirs)} labels are not those of the {count} test "
            "images; is it the corrupted set of this data set, and the test split unshuffled?"
        )
    for name in spec.corruptions:
        whole = _array(folder / f"{name}.npy")
        if whole.ndim != 4 or len(whole) != 5 * count or whole.dtype != np.uint8:
            raise InputError(
                f"{folder / name}.npy: found {whole.dtype} {whole.shape}; "
                f"expected uint8, 5 severities × {count} images"
            )
        places = [(severity - 1) * count + chosen for severity in spec.severities]
        yield name, map(whole.__getitem__, places)


def save(path: Path, parts: Iterable[np.ndarray], count: int) -> None:
    """Writes `count` arrays of one shape, end to end, as one .npy file; one at a time in memory.

    One severity of ImageNet's test images is 7.5 GB.
    """
    with path.open("wb") as file:
        for part in parts:
            if not file.tell():
                about = {
                    "descr": np.lib.format.dtype_to_descr(part.dtype),
                    "fortran_order": False,
                    "shape": (count * len(part), *part.shape[1:]),
                }
                np.lib.format.write_array_header_1_0(file, about)
            part.tofile(file)
            del part  # before the next is made


def _array(path: Path) -> np.ndarray:
    if not path.is_file():
        raise MissingInputError(
            f"{path}: not there; corrupt.path must hold the official .npy files"
        )
    array: np.ndarray = np.load(path, mmap_mode="r")
    return array


def write_manifest(folder: Path, corruptions: Sequence[str], severities: Sequence[int]) -> None:
    """Say beside the arrays what they hold."""
    about = {"corruptions": list(corruptions), "severities": list(severities)}
    (folder / "corrupted.json").write_text(json.dumps(about) + "\n")
