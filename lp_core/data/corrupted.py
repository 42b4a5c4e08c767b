"""Reading corrupted test sets from disk, without the code that makes them.

(What evaluates on them must not depend on how a blur is computed: only on the images.)
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lp_core.errors import MissingInputError


def corrupted_sets(folder: Path) -> Iterator[tuple[str, int, Tensor]]:
    """Each set: (corruption, severity, images uint8 N×C×H×W, mapped into memory).

    Raises MissingInputError if the folder holds none.
    """
    manifest = folder / "corrupted.json"
    if not manifest.is_file():
        raise MissingInputError(f"{manifest}: not there; run the stage `corrupt` first")
    about = json.loads(manifest.read_text())
    names, severities = about["corruptions"], about["severities"]
    for name in names:
        # Copy-on-write: torch takes no read-only memory, and nobody writes here.
        array = np.load(folder / f"{name}.npy", mmap_mode="c")
        images = torch.from_numpy(array).permute(0, 3, 1, 2)
        for severity, part in zip(severities, images.chunk(len(severities)), strict=True):
            yield name, severity, part


def corrupted_labels(folder: Path) -> Tensor:
    """Labels of the images of every set (int64 N)."""
    return torch.from_numpy(np.load(folder / "labels.npy"))
