"""An epoch: the batches that it is made of, its order, and the shares of several processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lp_core.errors import InputError


class Batch(NamedTuple):
    """What one process trains on in one step; all of it on the training device.

    images: float32, B×C×H×W, channels_last, augmented and normalised. labels: int64, B.
    indices: int64, B; which samples of the training split these are.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor


def epoch_order(count: int, subset: Tensor | None, generator: torch.Generator) -> Tensor:
    """The samples of an epoch in their order: int64 indices into the split.

    count: of all samples, or of those in `subset` (int64 indices), if training is on these alone.
    """
    order = torch.randperm(count, generator=generator)
    return order if subset is None else subset[order]


@dataclass(frozen=True)
class EpochCut:
    """Cuts `count` shuffled images into whole batches; the rest waits for another epoch's order.

    batch_size is that of the optimiser's step: with `world` processes each takes an equal share of
    it, and the shares of one batch together are the batch that a single process would see.
    """

    count: int
    batch_size: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"train.batch_size is {self.batch_size}; it must be at least 1")
        if self.batch_size > self.count:
            raise InputError(
                f"train.batch_size is {self.batch_size}, but the training split has only "
                f"{self.count} images; at most {self.count} would do"
            )
        if not 0 <= self.rank < self.world:
            raise InputError(f"rank is {self.rank}; with {self.world} processes it must lie below")
        if self.batch_size % self.world:
            raise InputError(
                f"train.batch_size is {self.batch_size}, which {self.world} processes "
                "(train.devices) cannot share equally; use a multiple"
            )

    def __len__(self) -> int:
        return self.count // self.batch_size

    def shares(self) -> Iterator[slice]:
        """For each batch, the places in the epoch's order that this process takes."""
        share = self.batch_size // self.world
        for batch in range(len(self)):
            start = batch * self.batch_size + self.rank * share
            yield slice(start, start + share)
