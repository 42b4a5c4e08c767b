"""torchvision's VGG-16 with batch norm, for any number of image channels.

With the cifar stem it ends in one linear layer, as Lottery Pools trains it on CIFAR. The ImageNet
classifier is without dropout: that would draw from the global random state in the middle of
training, where only data order and augmentation may be random. Parameters keep torchvision's names.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from lp_core.models.network import Network, Stem

if TYPE_CHECKING:
    from torch import nn


def _vgg16(classes: int, channels: int, stem: Stem) -> "nn.Module":
    from torch import nn

    from lp_core import torchvision_ops

    torchvision_ops.declare_missing_operators()
    from torchvision.models import vgg

    features = vgg.make_layers(vgg.cfgs["D"], batch_norm=True)
    if channels != 3:
        features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    if stem == "imagenet":
        return vgg.VGG(features, num_classes=classes, init_weights=False, dropout=0.0)
    return nn.Sequential(
        OrderedDict(
            features=features,
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Linear(512, classes),
        )
    )


vgg16 = Network(_vgg16, {"cifar": 32, "imagenet": 32})
