"""BatchEnsemble (Wen et al. 2020): members share every weight, but for rank-one factors.

Reference: BatchEnsemble, section 3; the Sup-tickets paper's table 6 has its diversity on Wide
ResNet 28-10.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from lp_core.errors import InputError
from lp_core.models.ensembles.ensemble import MEMBERS, Build, Ensemble
from lp_core.models.structure import TRANSPOSED


class BatchEnsemble(Ensemble):
    """One network whose convolutions and linear layers have a pair of factors for each member.

    The effective weight of member k is W ∘ (s_k r_kᵀ): r_k scales the layer's inputs, s_k its
    outputs (equation 1). Biases and batch norm, whose size is that of the factors, are each
    member's own, so that every member is the network that its effective weights make.

    The shared weights are those of the network of `seed`. Factors start as random signs, which
    make members differ without changing the size of anything; they are drawn from a generator
    that is seeded with `seed` and a constant. SGD decays them like every parameter.
    """

    def __init__(self, build: Build, seed: int, members: int = MEMBERS) -> None:
        """build: makes one network from a seed."""
        super().__init__(members)
        self.network = build(seed)
        # 0x5167 ("sign") keeps these draws apart from those of the weights.
        state = np.random.SeedSequence([seed, 0x5167]).generate_state(1, np.uint32)
        generator = torch.Generator().manual_seed(int(state[0]))
        for name, module in list(self.network.named_modules()):
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                self.network.set_submodule(name, _Factored(module, members, generator))
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                self.network.set_submodule(name, _OwnNorms(module, members))
            elif isinstance(module, (*TRANSPOSED, nn.Conv3d, nn.MultiheadAttention, _NormBase)):
                raise InputError(
                    f"{name} is a {type(module).__name__}, for which BatchEnsemble has no factors; "
                    "take a network of convolutions and linear layers, or no batch-ensemble"
                )

    def shared_out(self, images: Tensor) -> Tensor:
        """Logits B×classes: one pass of the whole batch, each share with its member's factors."""
        logits: Tensor = self.network(images)
        return logits

    def members(self, images: Tensor) -> Tensor:
        """Every member's logits of every image, M×B×classes: one pass of M copies of the batch."""
        copies = images.repeat(self.count, 1, 1, 1)
        logits: Tensor = self.network(copies)
        return logits.unflatten(0, (self.count, len(images)))


class _Factored(nn.Module):
    """A layer with each member's factors and bias; each takes its share of the batch.

    inputs, outputs: M×channels, r and s. biases: M×channels, if the layer has one.
    """

    def __init__(
        self, layer: nn.Conv1d | nn.Conv2d | nn.Linear, members: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.last = isinstance(layer, nn.Linear)
        if isinstance(layer, nn.Linear):
            outputs, inputs = layer.out_features, layer.in_features
        else:
            outputs, inputs = layer.out_channels, layer.in_channels
        self.inputs = nn.Parameter(_signs(members, inputs, generator))
        self.outputs = nn.Parameter(_signs(members, outputs, generator))
        self.biases: nn.Parameter | None = None
        if layer.bias is not None:
            self.biases = nn.Parameter(layer.bias.detach().repeat(members, 1))
            layer.bias = None
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _of_shares(x, self.inputs, torch.mul, self.last)
        out = _of_shares(self.layer(out), self.outputs, torch.mul, self.last)
        return out if self.biases is None else _of_shares(out, self.biases, torch.add, self.last)


class _OwnNorms(nn.Module):
    """Batch norm that each member has to itself, statistics included."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, members: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            type(norm)(norm.num_features, norm.eps, norm.momentum) for _ in range(members)
        )

    def forward(self, x: Tensor) -> Tensor:
        shares = x.tensor_split(len(self.norms))
        return torch.cat([norm(share) for norm, share in zip(self.norms, shares, strict=True)])


def _signs(members: int, channels: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (members, channels), generator=generator).float() * 2 - 1


def _of_shares(
    x: Tensor, own: Tensor, combine: Callable[[Tensor, Tensor], Tensor], last: bool
) -> Tensor:
    """Each share of a batch, combined channel by channel with its member's row of `own`. last:
    whether channels come last, as a linear layer has them."""
    shape = (-1,) if last else (-1, *(1,) * (x.ndim - 2))
    shares = x.tensor_split(len(own))
    return torch.cat([combine(x, row.view(shape)) for x, row in zip(shares, own, strict=True)])
