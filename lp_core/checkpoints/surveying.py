"""What the checkpoints of one pruning run have in common, and the order that they come in.

Looked at one after the other, so that only one network is in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from torch import nn

from lp_core.checkpoints.fitting import fit, named
from lp_core.checkpoints.reading import read
from lp_core.errors import InputError
from lp_core.models.structure import Prunable, prunable

# Share of a linear layer's weights that are exactly zero without having been pruned, at most.
_BY_CHANCE = 0.01


@dataclass(frozen=True)
class Surveyed:
    """A file, and by layer how many weights it keeps and how many there are. masked: the layers
    that it has a mask for."""

    path: Path
    kept: dict[str, int]
    sizes: dict[str, int]
    masked: frozenset[str]

    def density(self, layers: Sequence[str]) -> float:
        """Fraction of these layers' weights that are kept."""
        return sum(self.kept[n] for n in layers) / sum(self.sizes[n] for n in layers)


def survey(path: Path, model: nn.Module, key: str | None = None) -> Surveyed:
    """One file. Raises InputError, naming it, where it does not fit the model."""
    checkpoint = named(read(path, key), model)
    mask = fit(checkpoint, model, prunable(model, "conv+linear")).mask
    return Surveyed(
        path,
        {name: int(kept.sum()) for name, kept in mask.items()},
        {name: kept.numel() for name, kept in mask.items()},
        frozenset(checkpoint.masks),
    )


def pruned_layers(files: Sequence[Surveyed], model: nn.Module, kind: Prunable) -> list[str]:
    """The weights that may be pruned, in forward order: those that any of the files has a mask for,
    and where none has one, those of the kind.

    Raises InputError where zeros show that more was pruned than the kind.
    """
    masked = frozenset[str]().union(*(file.masked for file in files))
    if masked:
        return [name for name in prunable(model, "conv+linear") if name in masked]
    layers = prunable(model, kind)
    for file in files:
        for name in file.sizes.keys() - set(layers):
            zeros = 1 - file.kept[name] / file.sizes[name]
            if zeros > _BY_CHANCE:
                raise InputError(
                    f"{file.path}: {zeros:.0%} of {name} are zeros, but imp.prunable is {kind}; "
                    "give conv+linear, or a mask"
                )
    return layers


def densest_first(files: Sequence[Surveyed], layers: Sequence[str]) -> list[Surveyed]:
    """In the order of their densities. Raises InputError where two have the same."""
    ordered = sorted(files, key=lambda file: -file.density(layers))
    for denser, sparser in pairwise(ordered):
        if denser.density(layers) == sparser.density(layers):
            raise InputError(
                f"{denser.path} and {sparser.path} have the same density, "
                f"{sparser.density(layers):.4f}; one of them must be a copy, another step of the "
                "same training, or a network that was saved without its mask"
            )
    return ordered
