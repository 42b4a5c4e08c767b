"""Corrupted test images on disk.

One array for each corruption, laid out as CIFAR-C is: severity after severity, the same images in
the same order in each, with one array of labels for all. Nothing here knows how the images are
made, so that what evaluates on them does not depend on how a blur is computed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lp_core.errors import InputError, MissingInputError


def save_array(path: Path, parts: Iterable[np.ndarray], count: int) -> None:
    """Write `count` arrays of one shape, end to end, as one .npy file; one at a time in memory.

    One severity of ImageNet's test images is 7.5 GB.
    """
    with path.open("wb") as file:
        for part in parts:
            if not file.tell():
                header = {
                    "descr": np.lib.format.dtype_to_descr(part.dtype),
                    "fortran_order": False,
                    "shape": (count * len(part), *part.shape[1:]),
                }
                np.lib.format.write_array_header_1_0(file, header)
            part.tofile(file)
            del part  # before the next is made


def write_manifest(folder: Path, corruptions: Sequence[str], severities: Sequence[int]) -> None:
    """Say beside the arrays what they hold."""
    manifest = {"corruptions": list(corruptions), "severities": list(severities)}
    (folder / "corrupted.json").write_text(json.dumps(manifest) + "\n")


def corrupted_sets(folder: Path) -> Iterator[tuple[str, list[int], Tensor]]:
    """Each corruption: its name, its severities, and the images of all of them.

    images: uint8 S·N×C×H×W for S severities, one after another, of N images; mapped into memory.

    Raises MissingInputError if the folder holds none, and InputError for a file that does not hold
    as many images as there are labels, severity by severity.
    """
    path = folder / "corrupted.json"
    if not path.is_file():
        raise MissingInputError(f"{path}: not there; run the stage `corrupt` first")
    manifest = json.loads(path.read_text())
    severities, count = manifest["severities"], len(corrupted_labels(folder))
    for name in manifest["corruptions"]:
        # Copy-on-write: torch takes no read-only memory, and nobody writes here.
        array = np.load(folder / f"{name}.npy", mmap_mode="c")
        if len(array) != len(severities) * count:
            raise InputError(
                f"{folder / name}.npy: it holds {len(array)} images, not {count} for each of "
                f"{len(severities)} severities; run the stage `corrupt` again"
            )
        yield name, severities, torch.from_numpy(array).permute(0, 3, 1, 2)


def corrupted_labels(folder: Path) -> Tensor:
    """Labels of the images of every severity (int64 N). MissingInputError where there are none."""
    if not (folder / "labels.npy").is_file():
        raise MissingInputError(f"{folder}: no corrupted images; run the stage `corrupt` first")
    return torch.from_numpy(np.load(folder / "labels.npy"))
