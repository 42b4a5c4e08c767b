"""Rows of the table `layer_density`."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tasks.kit.rows import Row


def layer_rows(masks: Mapping[str, Tensor], **whose: Any) -> list[Row]:
    """A row for each prunable layer. whose: the rows' other columns."""
    return [
        {**whose, "layer": layer, "weights": kept.numel(), "density": _share(kept)}
        for layer, kept in masks.items()
    ]


def _share(kept: Tensor) -> float:
    return int(kept.count_nonzero()) / kept.numel()
