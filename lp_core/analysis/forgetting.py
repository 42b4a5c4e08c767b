"""What a training forgot: how many samples, how often, and which of them are hard.

Forgetting events and unforgettable samples (Toneva et al. 2019) as SGD noise compares settings of
training by them (Tables 1 and 8–10), and removes and chooses samples (appendices A.1 and F.1).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lp_core.checksums import sealed, tensors_digest, unsealed
from lp_core.errors import DamagedError, InputError, MissingInputError
from lp_core.files import atomic_write

_FORMAT = "lottery-pools forgetting 2"
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
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        digest = tensors_digest(_FORMAT, tensors)
        header = json.dumps({"format": _FORMAT, "digest": digest, "whose": whose})
        with atomic_write(Path(path)) as temporary:
            save_file(tensors, temporary, {"forgetting": sealed(header)})

    @classmethod
    def load(cls, path: str | Path, **whose: str | int | None) -> "Forgotten":
        """Read what `save` wrote. whose: the training that is wanted.

        Raises MissingInputError if there is no such file, DamagedError (naming it) if it is
        truncated, is something else or of another training, or holds other numbers than those that
        were saved.
        """
        if not Path(path).is_file():
            raise MissingInputError(f"{path}: no such counts of forgetting; run its stage first")
        try:
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {}).get("forgetting", "")
                header = unsealed(text, "format", "digest", "whose")
                if header["format"] != _FORMAT:
                    raise ValueError(f"it is of format {header['format']!r}, not {_FORMAT!r}")
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise DamagedError(Path(path), f"no whole counts of forgetting ({reason})") from error
        if header["digest"] != tensors_digest(_FORMAT, tensors):
            raise DamagedError(Path(path), "damaged: its counts are not those that were saved")
        found = {name: header["whose"].get(name) for name in whose}
        if found != whose:
            told = ", ".join(f"{name} {value}" for name, value in found.items())
            raise DamagedError(Path(path), f"another training's counts lie in its place ({told})")
        return cls(**tensors)


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
