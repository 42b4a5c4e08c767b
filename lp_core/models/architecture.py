"""What rebuilds a network: its name and what it was built for, without its weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import nn

from lp_core.errors import InputError
from lp_core.models.factory import build
from lp_core.models.named_by_file import require_network
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
        """The network on the CPU, its weights drawn from `seed`. Raises what `build` does, and
        InputError for a name that `require_network` refuses: names come from files."""
        require_network(self.name)
        shapes = (len(self.classes), self.channels, self.size)
        return build(self.name, *shapes, self.stem, self.arguments, seed=seed)

    @property
    def meta(self) -> dict[str, Any]:
        """The fields, for a ticket's meta."""
        return asdict(self)

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Architecture":
        """From `meta`. Raises InputError where a field is missing, or is of another kind."""
        names = {each.name for each in fields(cls)}
        missing = sorted({"name", "classes", "channels", "size", "mean", "std"} - set(meta))
        if missing:
            raise InputError(f"network: {', '.join(missing)} missing; it cannot be rebuilt")
        given = {name: value for name, value in meta.items() if name in names}
        for name, value in given.items():
            if not _FITS.get(name, _is_text)(value):
                raise InputError(f"network: {name} is {value!r}; it cannot be rebuilt")
        return cls(**given)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(fits, value))


_are_counts = _list_of(_is_count)
_are_numbers = _list_of(lambda value: isinstance(value, int | float))

_FITS: dict[str, Callable[[Any], bool]] = {
    "classes": _list_of(_is_text),
    "channels": _is_count,
    "size": lambda value: _is_count(value) or (_are_counts(value) and len(value) == 2),
    "mean": _are_numbers,
    "std": _are_numbers,
    "arguments": lambda value: isinstance(value, Mapping) and all(map(_is_text, value)),
}
