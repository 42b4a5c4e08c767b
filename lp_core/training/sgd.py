"""Stochastic gradient descent with momentum and weight decay, on all parameters at once.

Gives what `torch.optim.SGD(foreach=True)` gives, bit for bit. That class imports PyTorch's compiler
at its first use, which takes as long as a short training: two seconds of a CPU.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class SGD:
    """v ← momentum · v + gradient + weight_decay · w, then w ← w - lr · v.

    momenta: v of each parameter that has been stepped, to be read, changed, or put back. A
    parameter without a gradient is left alone.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], momentum: float, weight_decay: float
    ) -> None:
        self.parameters = list(parameters)
        self.momentum, self.weight_decay = momentum, weight_decay
        self.momenta: dict[nn.Parameter, Tensor] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One step along the gradients that are there."""
        moved = [parameter for parameter in self.parameters if parameter.grad is not None]
        if not moved:
            return
        weights: list[Tensor] = list(moved)
        directions: list[Tensor] = [weight.grad for weight in weights if weight.grad is not None]
        if self.weight_decay:
            decay = self.weight_decay
            directions = list(torch._foreach_add(directions, weights, alpha=decay))
        if self.momentum:
            old = [index for index, parameter in enumerate(moved) if parameter in self.momenta]
            if old:
                momenta = [self.momenta[moved[index]] for index in old]
                torch._foreach_mul_(momenta, self.momentum)
                torch._foreach_add_(momenta, [directions[index] for index in old])
            for parameter, direction in zip(moved, directions, strict=True):
                if parameter not in self.momenta:
                    self.momenta[parameter] = direction.clone()
            directions = [self.momenta[parameter] for parameter in moved]
        torch._foreach_add_(weights, directions, alpha=-lr)
