"""Residual networks of three stages for small images: ResNet-8, ResNet-20, Wide ResNet 28-10.

They have a 3×3 stem only, whatever the size of the images.
"""

from typing import TYPE_CHECKING

from lp_core.models.network import Network, Stem

if TYPE_CHECKING:
    from torch import nn


def _resnet8(classes: int, channels: int, _stem: Stem) -> "nn.Module":
    from lp_core.models.networks.residual_blocks import resnet

    return resnet(8, classes, channels)


def _resnet20(classes: int, channels: int, _stem: Stem) -> "nn.Module":
    from lp_core.models.networks.residual_blocks import resnet

    return resnet(20, classes, channels)


def _wrn28_10(classes: int, channels: int, _stem: Stem) -> "nn.Module":
    from lp_core.models.networks.residual_blocks import wide_resnet

    return wide_resnet(28, 10, classes, channels)


resnet8 = Network(_resnet8, {"cifar": 8})
resnet20 = Network(_resnet20, {"cifar": 8})
wrn28_10 = Network(_wrn28_10, {"cifar": 8})
