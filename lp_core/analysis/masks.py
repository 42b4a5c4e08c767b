"""How far one mask of a network is from another, layer by layer.

Lottery Pools keeps a ticket's number of weights but not their places: pruning an interpolation by
magnitude (Algorithm 2, lines 5 and 6) may keep a sibling's weight instead of one of the target's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from lp_core.errors import InputError


@dataclass(frozen=True)
class LayerChange:
    """One prunable layer under two masks.

    layer: name of its weight. weights: how many it has. ticket_density, density: the fraction kept
    before and after. moved: the fraction of what was kept before that is not kept after, 0 where
    nothing was. All fractions are 0–1.
    """

    layer: str
    weights: int
    ticket_density: float
    density: float
    moved: float


def compare_masks(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> list[LayerChange]:
    """A row for each layer, in the order of `before`.

    before, after: bool tensors by name, such as the masks of a ticket and of the ticket pooled
    from it; on one device. Raises InputError where names or shapes differ.
    """
    if unmatched := sorted(set(before) ^ set(after)):
        raise InputError(
            f"only one of the two masks has {unmatched}; give masks of one architecture"
        )
    return [_compare(name, kept, after[name]) for name, kept in before.items()]


def _compare(name: str, before: Tensor, after: Tensor) -> LayerChange:
    if before.shape != after.shape:
        raise InputError(
            f"mask {name!r} has shape {tuple(before.shape)} before and {tuple(after.shape)} after; "
            "give masks of one architecture"
        )
    weights, kept, lost = before.numel(), int(before.sum()), int((before & ~after).sum())
    moved = lost / kept if kept else 0.0
    return LayerChange(name, weights, kept / weights, int(after.sum()) / weights, moved)
