"""Forks: trainings from one start that differ in their noise seed alone (SGD noise, 3.2)."""

from dataclasses import dataclass
from pathlib import Path

from tasks.kit import paths
from tasks.kit.rows import Row


@dataclass(frozen=True)
class Fork:
    """Which fork: of a run's start, under a noise seed, without the samples `removed`."""

    variant: str
    seed: int
    start: str
    noise: int
    removed: str | None = None

    @property
    def folder(self) -> Path:
        """Of its ticket and of what it forgot."""
        if self.removed is None:
            return paths.fork(self.variant, self.seed, self.start, self.noise)
        return paths.subset_fork(self.variant, self.seed, self.removed, self.noise)

    @property
    def item(self) -> tuple[str, int]:
        """What tells it from the other forks of its stage in the same run."""
        return (self.removed or self.start, self.noise)

    @property
    def whose(self) -> Row:
        """What its artifacts say of themselves."""
        return {"variant": self.variant, "seed": self.seed} | self.columns

    @property
    def columns(self) -> Row:
        """What tells it from the other forks in the tables."""
        return {"start": self.start, "removed": self.removed, "noise": self.noise}
