"""torchvision's ResNets and VGG-16, with a stem for small images and any number of input channels.

With the cifar stem a ResNet begins with a 3×3 convolution of stride 1 and no max-pool, and VGG-16
ends in one linear layer, as the papers train them on CIFAR. Parameters keep torchvision's names.
"""

from collections import OrderedDict
from typing import Literal

from torch import nn

from lp_core import torchvision_ops  # noqa: F401  before torchvision, which may not import without
from lp_core.models.spec import DecidedStem


def standard_resnet(
    name: Literal["resnet18", "resnet34", "resnet50"],
    classes: int,
    channels: int,
    stem: DecidedStem,
) -> nn.Module:
    """torchvision's ResNet: images B×channels×H×W to logits B×classes."""
    # Not at the top: torchvision takes a second to import, and the small networks do without it.
    from torchvision import models

    model = getattr(models, name)(weights=None, num_classes=classes)
    if stem == "cifar":
        model.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    elif channels != 3:
        model.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return model


def standard_vgg16(classes: int, channels: int, stem: DecidedStem) -> nn.Module:
    """torchvision's VGG-16 with batch norm: images B×channels×H×W to logits B×classes.

    The ImageNet classifier is without dropout: that would draw from the global random state in the
    middle of training, where only data order and augmentation may be random.
    """
    from torchvision.models import vgg

    if stem == "imagenet":
        model = vgg.VGG(
            vgg.make_layers(vgg.cfgs["D"], batch_norm=True),
            num_classes=classes,
            init_weights=False,
            dropout=0.0,
        )
    else:
        model = nn.Sequential(
            OrderedDict(
                features=vgg.make_layers(vgg.cfgs["D"], batch_norm=True),
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Linear(512, classes),
            )
        )
    if channels != 3:
        model.features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    return model
