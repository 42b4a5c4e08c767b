"""Networks as users write them: none of them is in the registry, and no two are built alike."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Functional(nn.Module):
    """No Sequential; one pooling and one rectifier for all layers; batch norm of one dimension."""

    def __init__(self, classes: int, channels: int, width: int = 4) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, width, 3, padding=1)
        self.two = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.pool, self.relu = nn.MaxPool2d(2), nn.ReLU()
        self.hidden = nn.Linear(2 * width, 6)
        self.norm = nn.BatchNorm1d(6)
        self.last = nn.Linear(6, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(self.relu(self.one(images)))
        x = self.pool(self.relu(self.two(x))).mean((2, 3))
        logits: Tensor = self.last(F.relu(self.norm(self.hidden(x))))
        return logits


class Layer(nn.Module):
    """Attention, and a perceptron for each token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        wide = 2 * width
        self.mix = nn.Sequential(nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        out: Tensor = x + self.mix(self.second(x))
        return out


class Encoder(nn.Module):
    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Transformer(nn.Module):
    """Patches, positions, an encoder; layer norm alone."""

    def __init__(self, num_classes: int, in_chans: int, img_size: int, depth: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(in_chans, 8, 2, 2)
        self.place = nn.Parameter(torch.randn((img_size // 2) ** 2, 8))
        self.encoder = Encoder(8, depth)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).mT + self.place
        logits: Tensor = self.head(self.encoder(x).mean(1))
        return logits


class HeadFirst(nn.Module):
    """Its first layer is the last that runs; its last one makes no logits."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(4, classes)
        self.body = nn.Conv2d(channels, 4, 3)
        self.gate = nn.Linear(4, 4)

    def forward(self, images: Tensor) -> Tensor:
        x = self.body(images).relu().mean((2, 3))
        logits: Tensor = self.head(x * self.gate(x).sigmoid())
        return logits


class Tokens(nn.Module):
    """Linear layers alone, on rows of pixels as tokens."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        self.one = nn.Linear(channels * size, 6)
        self.last = nn.Linear(6, classes)

    def forward(self, images: Tensor) -> Tensor:
        rows = images.transpose(1, 2).flatten(2)
        logits: Tensor = self.last(self.one(rows).relu().mean(1))
        return logits


class Lines(nn.Module):
    """Reads an image as one line of pixels; up and down again in between."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv1d(channels, 4, 2, 2)
        self.up = nn.ConvTranspose1d(4, 3, 2, 2)
        self.norm = nn.BatchNorm1d(3)
        self.last = nn.Linear(3, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.norm(self.up(self.down(images.flatten(2))))
        logits: Tensor = self.last(x.mean(2))
        return logits


class Tied(nn.Module):
    """One convolution under two names, and one whose weight is computed from others."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 4, 1)
        self.one = nn.Conv2d(4, 4, 3, padding=1)
        self.same = nn.Conv2d(4, 4, 3, padding=1)
        self.same.weight = self.one.weight
        self.normed = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1))
        self.last = nn.Linear(4, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.normed(self.same(self.one(self.stem(images)).relu()).relu())
        logits: Tensor = self.last(x.mean((2, 3)))
        return logits


def plain(classes: int, in_channels: int, image_size: int) -> nn.Module:
    """A function is a constructor, too; its layers learn their widths from the first image."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(image_size),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(image_size, classes),
    )


class Numpy(Functional):
    """Draws from NumPy's global generator."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(classes, channels)
        self.scale = nn.Parameter(torch.tensor(np.random.rand(3), dtype=torch.float32))  # noqa: NPY002


class Viewing(nn.Module):
    """Flattens with `view`, as many a textbook does."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, 4, 3, padding=1)
        self.last = nn.Linear(4 * 64, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.one(images).relu()
        logits: Tensor = self.last(x.view(len(x), -1))
        return logits


class Shapeless(Functional):
    """A layer that nothing uses never learns its width."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(classes, channels)
        self.unused = nn.LazyLinear(3)


class InPlace(Functional):
    """Changes the images that it is given."""

    def forward(self, images: Tensor) -> Tensor:
        images -= 0.5
        return super().forward(images)


class Dropping(Functional):
    def forward(self, images: Tensor) -> Tensor:
        return F.dropout(super().forward(images))


class Features(Functional):
    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.one(images)
        return out


class Auxiliary(Functional):
    """Answers twice while it is trained."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return (logits, logits) if self.training else logits  # type: ignore[return-value]


class Double(Functional):
    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(classes, channels)
        self.scale = nn.Parameter(torch.ones(2, dtype=torch.float64))


class Broken(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(3, classes).wieght  # as a user misspells it


class NoNetwork:
    pass


def no_network(classes: int) -> list[int]:
    return [classes]


A_NETWORK = nn.Linear(3, 4)
