"""What a training forgot: how many samples, how often, and which of them are hard.

Forgetting events and unforgettable samples (Toneva et al. 2019) as SGD noise compares settings of
training by them (Tables 1 and 8–10), and removes and chooses samples (appendices A.1 and F.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lp_core.analysis.per_sample import load_per_sample, save_per_sample
from lp_core.errors import InputError

_KIND = "forgetting"
_TENSORS = ("events", "learned", "presented")


@dataclass(frozen=True)
class Forgotten:
    """What one training forgot of its N samples; tensors on the CPU.

    events: int32, N; how often a sample was predicted wrongly that had been predicted rightly the
    last time. learned: bool, N; whether it was ever predicted rightly. presented: int32, N; how
    often it was predicted at all. The shares below are of the samples that were presented.
    """

    events: Tensor
    learned: Tensor
    presented: Tensor

    @property
    def mean(self) -> float:
        """Forgetting events per sample. NaN where no sample was presented."""
        return self._events().mean().item()

    @property
    def std(self) -> float:
        """Standard deviation of the events of these samples (of all of them, not a sample's)."""
        return self._events().std(correction=0).item()

    @property
    def unforgettable(self) -> float:
        """Share of the samples, 0–1, that were learned and never forgotten."""
        return self._share(self.learned & (self.events == 0))

    @property
    def never_learned(self) -> float:
        """Share of the samples, 0–1, that were never predicted rightly."""
        return self._share(~self.learned)

    def _events(self) -> Tensor:
        return self.events[self.presented > 0].double()

    def _share(self, which: Tensor) -> float:
        return which[self.presented > 0].double().mean().item()

    def save(self, path: str | Path, **whose: str | int | None) -> None:
        """Write to `path` in one step; equal counts are equal files. whose: of which training they
        are, for `load` to compare."""
        tensors = {name: getattr(self, name) for name in _TENSORS}
        save_per_sample(Path(path), _KIND, tensors, whose)

    @classmethod
    def load(cls, path: str | Path, **whose: str | int | None) -> "Forgotten":
        """Read what `save` wrote. whose: the training that is wanted. Raises as `load_per_sample`
        does."""
        return cls(**load_per_sample(Path(path), _KIND, whose))


def difficulty(trainings: Sequence[Forgotten]) -> Tensor:
    """How hard each sample is to remember: float64, N; the higher, the harder.

    The mean over the trainings of a sample's events. In a training that never learned it, each
    presentation counts as one: more than any sample can be forgotten that this training did learn
    (Toneva et al. put these samples last, too). A training that did not present a sample says
    nothing of it; one that none presented is as hard as the mean of the others. Raises InputError
    for no trainings, and for such of different numbers of samples.
    """
    sizes = {len(training.events) for training in trainings}
    if len(sizes) != 1:
        raise InputError(
            f"{len(trainings)} trainings of {sorted(sizes)} samples were given; give one or more "
            "of one training split"
        )
    counted = [torch.where(t.learned, t.events, t.presented).double() for t in trainings]
    times = torch.stack([training.presented > 0 for training in trainings]).sum(0)
    mean = torch.stack(counted).sum(0) / times
    return mean.where(times > 0, mean.nanmean())
