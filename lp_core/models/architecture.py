"""What rebuilds a network: its name and what it was built for, without its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import nn

from lp_core.errors import InputError
from lp_core.models.factory import build
from lp_core.models.spec import StemChoice


@dataclass(frozen=True)
class Architecture:
    """A network as a ticket's file describes it; every field is what JSON can hold.

    name, stem, arguments: see `ModelSpec`. classes: their names. size: the images' side or [height,
    width] in pixels. mean, std: per channel, of images scaled to 0–1, by which what the network
    sees is normalised.
    """

    name: str
    classes: Sequence[str]
    channels: int
    size: int | Sequence[int]
    mean: Sequence[float]
    std: Sequence[float]
    stem: StemChoice = "auto"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def build(self, seed: int = 0) -> nn.Module:
        """The network on the CPU, its weights drawn from `seed`. Raises what `build` does."""
        shapes = (len(self.classes), self.channels, self.size)
        return build(self.name, *shapes, self.stem, self.arguments, seed=seed)

    @property
    def meta(self) -> dict[str, Any]:
        """The fields, for a ticket's meta."""
        return asdict(self)

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Architecture":
        """From `meta`. Raises InputError where a field is missing."""
        names = {each.name for each in fields(cls)}
        missing = sorted({"name", "classes", "channels", "size", "mean", "std"} - set(meta))
        if missing:
            raise InputError(f"network: {', '.join(missing)} missing; it cannot be rebuilt")
        return cls(**{name: value for name, value in meta.items() if name in names})
