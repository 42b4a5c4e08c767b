"""Stochastic gradient descent with momentum and weight decay: PyTorch's own function, our state.

`torch.optim.SGD` imports PyTorch's compiler at its first use, which takes as long as a short
training: two seconds of a CPU. The function that it calls does not, and gives the same bits.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd


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
        momenta = [self.momenta.get(parameter) for parameter in moved]
        sgd(
            list[Tensor](moved),
            [parameter.grad for parameter in moved if parameter.grad is not None],
            momenta,
            foreach=True,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for parameter, momentum in zip(moved, momenta, strict=True):
            if momentum is not None:
                self.momenta[parameter] = momentum
