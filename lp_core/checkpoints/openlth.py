"""OpenLTH's layout: `model_ep160_it0.pth`, and `mask.pth` beside it.

OpenLTH keeps a level's weights at a step in the former and, by the same names, its mask in the
latter, as integers. The weights are saved after a step of SGD that the mask does not touch; whoever
loads them masks them again.
"""

import os
import re
from pathlib import Path

from torch import Tensor

from lp_core.checkpoints import torch_file
from lp_core.checkpoints.dense import require_dense
from lp_core.checkpoints.masked import as_mask
from lp_core.checkpoints.names import without_marks
from lp_core.errors import InputError

_MODEL = re.compile(r"model_ep[0-9]+_it[0-9]+\.pth")
_MASK = "mask.pth"


def mask_beside(path: Path) -> Path | None:
    """The file of masks that belongs to a checkpoint of OpenLTH; None where there is none."""
    mask = path.with_name(_MASK)
    # A link to nothing counts: its masks are missing, and zeros would not stand in for them.
    return mask if _MODEL.fullmatch(path.name) and os.path.lexists(mask) else None


def read_masks(path: Path) -> dict[str, Tensor]:
    """Masks (bool) by the names of their weights. Raises InputError naming the file."""
    content = torch_file.load(path)
    is_mapping = isinstance(content, dict) and len(content) > 0
    if not is_mapping or not all(isinstance(mask, Tensor) for mask in content.values()):
        raise InputError(f"{path}: holds no masks by name; OpenLTH keeps a mapping of tensors here")
    try:
        require_dense(content)
        return {name: as_mask(mask, name) for name, mask in without_marks(content).items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
