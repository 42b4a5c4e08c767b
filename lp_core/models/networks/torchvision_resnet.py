"""torchvision's ResNet-18, -34 and -50, with a stem for small images and any number of channels.

With the cifar stem they begin with a 3×3 convolution of stride 1 and no max-pool, as the papers
train them on CIFAR. Parameters keep torchvision's names.
"""

from functools import partial
from typing import TYPE_CHECKING

from lp_core.models.network import Network, Stem

if TYPE_CHECKING:
    from torch import nn


def _resnet(name: str, classes: int, channels: int, stem: Stem) -> "nn.Module":
    from torch import nn

    from lp_core import torchvision_ops

    torchvision_ops.declare_missing_operators()
    from torchvision import models

    model: nn.Module = getattr(models, name)(weights=None, num_classes=classes)
    if stem == "cifar":
        model.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    elif channels != 3:
        model.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return model


resnet18 = Network(partial(_resnet, "resnet18"), {"cifar": 8, "imagenet": 32})
resnet34 = Network(partial(_resnet, "resnet34"), {"cifar": 8, "imagenet": 32})
resnet50 = Network(partial(_resnet, "resnet50"), {"cifar": 8, "imagenet": 32})
