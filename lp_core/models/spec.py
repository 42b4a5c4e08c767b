"""Which network to train: the settings, and which stem goes with which images."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from lp_core import faces
from lp_core.errors import InputError
from lp_core.models.network import Network, Stem

# Where networks are found by name.
NETWORKS = "lp_core.models.networks"

StemChoice = Literal["auto", "cifar", "imagenet"]

# The longest image side, in pixels, for which `auto` chooses the cifar stem.
CIFAR_SIDE = 64


@dataclass(frozen=True)
class ModelSpec:
    """A network by name, and how it begins.

    name: an entry of `lp_core.models.networks`.
    stem: "cifar" is a 3×3 convolution of stride 1 and no max-pool (VGG-16: one linear layer as the
    classifier); "imagenet" is torchvision's own; "auto" is cifar up to 64 pixels a side.
    """

    name: str
    stem: StemChoice = "auto"

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        if self.name not in faces.names(NETWORKS):
            known = ", ".join(faces.names(NETWORKS))
            raise InputError(f"name is {self.name!r}; give one of {known}")
        if self.stem not in get_args(StemChoice):
            known = ", ".join(get_args(StemChoice))
            raise InputError(f"stem is {self.stem!r}; give one of {known}")
        if self.stem != "auto" and self.stem not in self.network.smallest_side:
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
    def network(self) -> Network:
        """The entry of the registry."""
        network: Network = faces.member(NETWORKS, self.name)
        return network

    def stem_for(self, height: int, width: int) -> Stem:
        """The stem for images of height × width pixels, with "auto" decided."""
        if self.stem != "auto":
            return self.stem
        wanted: Stem = "cifar" if max(height, width) <= CIFAR_SIDE else "imagenet"
        stems = list(self.network.smallest_side)
        return wanted if wanted in stems else stems[0]
