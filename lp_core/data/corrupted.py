"""Corrupted test images on disk.

One array for each corruption, laid out as CIFAR-C is: severity after severity, the same images in
the same order in each, with one array of labels for all. A manifest has a checksum of each file,
and of itself; an array is compared with its own when it is asked for. Nothing here knows how the
images are made, so that what evaluates on them does not depend on how a blur is computed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lp_core.checksums import Checksum, file_checksum, require_whole, sealed, unsealed
from lp_core.errors import DamagedError, MissingInputError

_MANIFEST = "corrupted.json"
_LABELS = "labels.npy"


def save_array(path: Path, parts: Iterable[np.ndarray], count: int) -> str:
    """Write `count` arrays of one shape, end to end, as one .npy file; one at a time in memory.

    One severity of ImageNet's test images is 7.5 GB. Returns the file's checksum.
    """
    checksum = Checksum()
    with path.open("wb") as file:
        for part in parts:
            if not file.tell():
                start = _array_header(part, count)
                checksum.update(start)
                file.write(start)
            checksum.update(np.ascontiguousarray(part).data.cast("B"))
            part.tofile(file)
            del part  # before the next is made
    return str(checksum)


def _array_header(part: np.ndarray, count: int) -> bytes:
    header = {
        "descr": np.lib.format.dtype_to_descr(part.dtype),
        "fortran_order": False,
        "shape": (count * len(part), *part.shape[1:]),
    }
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def write_manifest(
    folder: Path, labels: np.ndarray, severities: Sequence[int], checksums: Mapping[str, str]
) -> None:
    """Write the labels (int64 N), and say beside the arrays what they hold.

    checksums: by corruption, what `save_array` returned.
    """
    np.save(folder / _LABELS, labels)
    manifest = {
        "severities": list(severities),
        "corruptions": dict(checksums),
        "labels": file_checksum(folder / _LABELS),
    }
    (folder / _MANIFEST).write_text(sealed(json.dumps(manifest, indent=1) + "\n"))


def corrupted_sets(folder: Path) -> Iterator[tuple[str, list[int], Tensor]]:
    """Each corruption: its name, its severities, and the images of all of them.

    images: uint8 S·N×C×H×W for S severities, one after another, of N images; mapped into memory.

    Raises MissingInputError if the folder holds none, and DamagedError for a file that is not as it
    was written.
    """
    manifest = _manifest(folder)
    for name, checksum in manifest["corruptions"].items():
        path = folder / f"{name}.npy"
        require_whole(path, checksum)
        # Copy-on-write: torch takes no read-only memory, and nobody writes here.
        array = np.load(path, mmap_mode="c")
        yield name, manifest["severities"], torch.from_numpy(array).permute(0, 3, 1, 2)


def corrupted_labels(folder: Path) -> Tensor:
    """Labels of the images of every severity (int64 N). Raises what `corrupted_sets` does."""
    require_whole(folder / _LABELS, _manifest(folder)["labels"])
    return torch.from_numpy(np.load(folder / _LABELS))


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise MissingInputError(f"{path}: not there; run the stage `corrupt` first")
    try:
        return unsealed(path.read_text(), "severities", "corruptions", "labels")
    except (OSError, ValueError) as error:
        raise DamagedError(path, str(error)) from error
