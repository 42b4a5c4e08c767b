"""What the small residual networks are made of; torchvision does not have them.

ResNet-8 and ResNet-20 are the 6n+2-layer networks of He et al. 2016, section 4.2, with 1×1
convolutions on the shortcuts that change shape; Wide ResNet 28-10 is Zagoruyko and Komodakis 2016
(pre-activation blocks, no dropout). Each is a plain sequence: `stem`, `block1` …, `head`.
"""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def _conv1x1(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def _classifier(width: int, classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, normalised, beside a shortcut; rectified after the sum.

    Images B×inputs×H×W become B×outputs×⌈H/stride⌉×⌈W/stride⌉.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv3x3(inputs, outputs, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            _conv3x3(outputs, outputs),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                _conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.body(x)
        out += self.shortcut(x)
        return out.relu_()


class PreActivationBlock(nn.Module):
    """Normalise and rectify before each of two 3×3 convolutions; the sum is left as it is.

    Where the shape changes, the shortcut is a 1×1 convolution of the rectified input.
    Images B×inputs×H×W become B×outputs×⌈H/stride⌉×⌈W/stride⌉.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.body = nn.Sequential(
            _conv3x3(inputs, outputs, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            _conv3x3(outputs, outputs),
        )
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.shortcut = _conv1x1(inputs, outputs, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        activated = self.activate(x)
        out = self.body(activated)
        out += self.shortcut(activated) if self.projects else x
        return out


def _stages(
    block: Callable[[int, int, int], nn.Module], width: int, widths: list[int], per_stage: int
) -> "OrderedDict[str, nn.Module]":
    """`per_stage` blocks for each of `widths`; every stage but the first halves the image."""
    chain: OrderedDict[str, nn.Module] = OrderedDict()
    for stage, outputs in enumerate(widths):
        for position in range(per_stage):
            stride = 2 if stage > 0 and position == 0 else 1
            chain[f"block{len(chain) + 1}"] = block(width, outputs, stride)
            width = outputs
    return chain


def resnet(depth: int, classes: int, channels: int) -> nn.Sequential:
    """A ResNet of `depth` = 6n+2 layers of 16, 32 and 64 channels: B×channels×H×W to B×classes."""
    stem = nn.Sequential(_conv3x3(channels, 16), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
    chain = _stages(BasicBlock, 16, [16, 32, 64], per_stage=(depth - 2) // 6)
    head = nn.Sequential(*_classifier(64, classes))
    return nn.Sequential(OrderedDict([("stem", stem), *chain.items(), ("head", head)]))


def wide_resnet(depth: int, widen: int, classes: int, channels: int) -> nn.Sequential:
    """A Wide ResNet of `depth` = 6n+4 layers, `widen` × 16, 32, 64: B×channels×H×W to B×classes."""
    widths = [16 * widen, 32 * widen, 64 * widen]
    chain = _stages(PreActivationBlock, 16, widths, per_stage=(depth - 4) // 6)
    head = nn.Sequential(
        nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), *_classifier(widths[-1], classes)
    )
    stem = _conv3x3(channels, 16)
    return nn.Sequential(OrderedDict([("stem", stem), *chain.items(), ("head", head)]))
