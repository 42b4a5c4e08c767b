"""What is known of a network before it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

Stem = Literal["cifar", "imagenet"]


@dataclass(frozen=True)
class Network:
    """One entry of the registry `lp_core.models.networks`.

    skeleton: called with the number of classes, the number of image channels, and the stem,
    returns the architecture, whose weights `lp_core.models.build` then draws. It imports PyTorch
    when it is called, so that settings can be checked without.
    smallest_side: the least side of an image, in pixels, that leaves every layer something to work
    on, for each stem that the network has.
    """

    skeleton: Callable[[int, int, Stem], "nn.Module"]
    smallest_side: Mapping[Stem, int]
