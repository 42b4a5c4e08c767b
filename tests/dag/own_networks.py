"""Networks of a user's own, as files of a project: no batch norm and attention in one, none of that
in the other."""

from tests.dag.project import TINY, Project

LAYERS = '''"""Shared by the networks."""

import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))

    def forward(self, x):
        return x * self.scale
'''

NETS = '''"""Networks of my own."""

import torch
from torch import nn
from torch.nn import functional as F

from .layers import Scale


class Attentive(nn.Module):
    """Patches, one layer of attention, no batch norm."""

    def __init__(self, num_classes, in_chans, image_size, width=16):
        super().__init__()
        self.patches = nn.Conv2d(in_chans, width, 2, 2)
        self.place = nn.Parameter(torch.randn((image_size // 2) ** 2, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), Scale(width))
        self.head = nn.Linear(width, num_classes)

    def forward(self, images):
        x = self.patches(images).flatten(2).mT + self.place
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head((x + self.mix(x)).mean(1))


class Plain(nn.Module):
    """Functional: no Sequential, one pooling for all; batch norm of one dimension."""

    def __init__(self, classes, channels, width=8):
        super().__init__()
        self.one = nn.Conv2d(channels, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(width, 16)
        self.norm = nn.BatchNorm1d(16)
        self.last = nn.Linear(16, classes)

    def forward(self, images):
        x = self.pool(F.relu(self.one(images)))
        x = self.pool(F.relu(self.two(x))).mean((2, 3))
        return self.last(F.relu(self.norm(self.hidden(x))))
'''

VARIANTS = {
    "base": {},
    "no-rewind": {"rewind": {"epochs": 0}},
    "attentive": {
        "model": {"name": "own.nets:Attentive", "arguments": {"width": 8}},
        "imp": {"prunable": "conv+linear"},
    },
    "plain": {"model": {"name": "own.plain:Plain"}},
}


def add_networks(project: Project) -> None:
    """Two networks in files of their own, as variants; one of them is pooled."""
    nets, plain = NETS.split("class Plain")
    own = project.root / "own"
    (own / "layers.py").write_text(LAYERS)
    (own / "nets.py").write_text(nets)
    imports = "from torch import nn\nfrom torch.nn import functional as F\n\n\n"
    (own / "plain.py").write_text(f"{imports}class Plain{plain}")
    pooling = TINY["pooling"] | {"variants": ["base", "attentive"]}
    pooling |= {"methods": ["interpolation"], "corrupted": ["interpolation"]}
    project.params(
        {
            "variants": VARIANTS,
            "grid": [*TINY["grid"], "attentive", "plain"],
            "pooling": pooling,
        }
    )
