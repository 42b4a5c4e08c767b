"""Which network to train: the settings, and which stem goes with which images.

The networks are those of Lottery Pools (ResNet-18/34, VGG-16), Sup-tickets (VGG-16, Wide ResNet
28-10, ResNet-50) and SGD noise (ResNet-18/34, VGG-16), and two small ones for laptops.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from lp_core.errors import InputError

ModelName = Literal["resnet8", "resnet20", "resnet18", "resnet34", "resnet50", "vgg16", "wrn28_10"]
Stem = Literal["auto", "cifar", "imagenet"]
DecidedStem = Literal["cifar", "imagenet"]

# These exist with a 3×3 stem only, whatever the size of the images.
CIFAR_ONLY = frozenset({"resnet8", "resnet20", "wrn28_10"})

# The longest image side, in pixels, for which `auto` chooses the cifar stem.
CIFAR_SIDE = 64


@dataclass(frozen=True)
class ModelSpec:
    """A network by name, and how it begins.

    stem: "cifar" is a 3×3 convolution of stride 1 and no max-pool (VGG-16: one linear layer as the
    classifier); "imagenet" is torchvision's own; "auto" is cifar up to 64 pixels a side.
    """

    name: ModelName
    stem: Stem = "auto"

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        if self.name not in get_args(ModelName):
            known = ", ".join(get_args(ModelName))
            raise InputError(f"model name {self.name!r} is unknown; it can be one of {known}")
        if self.stem not in get_args(Stem):
            known = ", ".join(get_args(Stem))
            raise InputError(
                f"stem {self.stem!r} of {self.name} is unknown; it can be one of {known}"
            )
        if self.stem == "imagenet" and self.name in CIFAR_ONLY:
            raise InputError(
                f"{self.name} has no imagenet stem; leave its stem at auto, or choose resnet18, "
                "resnet34, resnet50 or vgg16"
            )

    def stem_for(self, height: int, width: int) -> DecidedStem:
        """The stem for images of height × width pixels, with "auto" decided."""
        if self.stem != "auto":
            return self.stem
        small = self.name in CIFAR_ONLY or max(height, width) <= CIFAR_SIDE
        return "cifar" if small else "imagenet"
