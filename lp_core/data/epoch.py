"""How an epoch's order is cut into batches, and each batch into the shares of several processes."""

from collections.abc import Iterator
from dataclasses import dataclass

from lp_core.errors import InputError


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
