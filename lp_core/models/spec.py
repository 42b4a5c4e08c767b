"""Which network to train: the settings, and which stem goes with which images."""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from lp_core import faces
from lp_core.errors import InputError
from lp_core.models.network import Network, Stem

# Where networks are found by name.
NETWORKS = "lp_core.models.networks"

# What makes networks that are no entries, and what reads initial weights.
BY_IMPORT = "lp_core.models.by_import"
FROM_FILE = "lp_core.models.initial_weights"

# Packages that have networks of their own, by what stands before the colon.
LIBRARIES = ("torchvision", "timm")

StemChoice = Literal["auto", "cifar", "imagenet"]

# The longest image side, in pixels, for which `auto` chooses the cifar stem.
CIFAR_SIDE = 64

_IN_LIBRARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OWN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class ModelSpec:
    """A network by name, how it begins, and what its constructor is given.

    name: an entry of `lp_core.models.networks`; `package.module:Attribute` for a class of
    `nn.Module` or a function that returns one; `torchvision:resnet50`, `timm:convnext_tiny`.
    stem: of entries alone. "cifar" is a 3×3 convolution of stride 1 and no max-pool (VGG-16: one
    linear layer as the classifier); "imagenet" is torchvision's own; "auto" is cifar up to 64
    pixels a side.
    arguments: what the constructor is given beside the shapes; entries take none.
    weights: a file that the initial weights are taken from; None draws them.
    """

    name: str
    stem: StemChoice = "auto"
    arguments: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        if ":" in self.name:
            self._require_known_kind()
        elif self.name not in faces.names(NETWORKS):
            known = ", ".join(faces.names(NETWORKS))
            raise InputError(
                f"name is {self.name!r}; give one of {known}, or `package.module:Attribute` for a "
                "network of your own, or `torchvision:` or `timm:` and a name"
            )
        elif self.arguments:
            raise InputError(
                f"arguments are {', '.join(self.arguments)}, but {self.name} takes none; remove "
                "them, or name a network of your own"
            )
        if self.stem not in get_args(StemChoice):
            known = ", ".join(get_args(StemChoice))
            raise InputError(f"stem is {self.stem!r}; give one of {known}")
        if self.stem != "auto" and (self.by_import or self.stem not in self.network.smallest_side):
            others = [
                name
                for name in faces.names(NETWORKS)
                if self.stem in faces.member(NETWORKS, name).smallest_side
            ]
            raise InputError(
                f"stem is {self.stem!r}, which {self.name} has not; leave it at auto, or give name "
                f"one of {', '.join(others)}"
            )

    @property
    def by_import(self) -> bool:
        """Whether the network is no entry of the registry."""
        return ":" in self.name

    @property
    def own_module(self) -> str | None:
        """The module of a network by import path; None for an entry or a library's network."""
        before = self.name.partition(":")[0]
        return before if self.by_import and before not in LIBRARIES else None

    @property
    def network(self) -> Network:
        """The entry of the registry. Raises InputError for a network by import."""
        network: Network = faces.member(NETWORKS, self.name)
        return network

    def stem_for(self, height: int, width: int) -> Stem:
        """The stem of an entry for images of height × width pixels, with "auto" decided."""
        if self.stem != "auto":
            return self.stem
        wanted: Stem = "cifar" if max(height, width) <= CIFAR_SIDE else "imagenet"
        stems = list(self.network.smallest_side)
        return wanted if wanted in stems else stems[0]

    def _require_known_kind(self) -> None:
        library, _, rest = self.name.partition(":")
        if library in LIBRARIES:
            if not _IN_LIBRARY.fullmatch(rest):
                raise InputError(
                    f"name is {self.name!r}; give {library}: and the name of one of its networks"
                )
        elif not _OWN.fullmatch(self.name):
            raise InputError(
                f"name is {self.name!r}; a network of your own is `package.module:Attribute`"
            )
