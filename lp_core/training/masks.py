"""The masks of a run. They may change while it lasts, as those of dynamic sparse training do."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lp_core.training.sgd import SGD


class Masks(Mapping[str, Tensor]):
    """For each prunable parameter by name, which of its weights are kept: bool, of its shape.

    They lie where the parameters lie and in their layout. `change` them, do not write into them.
    kept: how many weights of each parameter are, counted when they change.
    """

    def __init__(self, model: nn.Module, optimizer: SGD, masks: Mapping[str, Tensor]) -> None:
        """Copies `masks` and sets the weights outside them to zero."""
        self._parameters = dict(model.named_parameters())
        self._optimizer = optimizer
        self._masks: dict[str, Tensor] = {}
        self.change(masks)

    def __getitem__(self, name: str) -> Tensor:
        return self._masks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._masks)

    def __len__(self) -> int:
        return len(self._masks)

    @torch.no_grad()
    def change(self, masks: Mapping[str, Tensor]) -> None:
        """Take other masks, of all parameters that have one or of some of them.

        Weights that are no longer kept become zero, and the optimiser forgets their momentum.
        Weights that are kept anew have none, therefore, and start from what the parameter holds,
        which is zero unless the caller wrote something else there before.
        """
        for name, mask in masks.items():
            parameter = self._parameters[name]
            kept = torch.empty_like(parameter, dtype=torch.bool).copy_(mask)
            momentum = self._optimizer.momenta.get(parameter)
            if momentum is not None:
                # Or it would move them, whatever their gradients are.
                momentum.masked_fill_(~kept, 0.0)
            self._masks[name] = kept
        # Counted at once: on a GPU each number asked for waits for all that was begun.
        counts = [kept.count_nonzero() for kept in self._masks.values()]
        numbers = torch.stack(counts).tolist() if counts else []
        self.kept: dict[str, int] = dict(zip(self._masks, numbers, strict=True))
        sparse = [name for name, kept in self._masks.items() if self.kept[name] < kept.numel()]
        self._pruned: list[Tensor] = [self._parameters[name] for name in sparse]
        self._factors = [self._masks[name].to(self._parameters[name].dtype) for name in sparse]
        self.clear()

    @torch.no_grad()
    def apply(self) -> None:
        """Set the weights outside the masks to zero, fast: they are multiplied by zero."""
        # All at once: on a GPU a kernel for each layer would cost more than the multiplying.
        # (So it is where masks lie in memory as the parameters do.)
        if self._pruned:
            torch._foreach_mul_(self._pruned, self._factors)

    @torch.no_grad()
    def apply_to_gradients(self) -> None:
        """Set the gradients of weights outside the masks to zero, as fast, so that the optimiser
        keeps no momentum of them and leaves them zero."""
        with_gradient = [
            (parameter.grad, factor)
            for parameter, factor in zip(self._pruned, self._factors, strict=True)
            if parameter.grad is not None
        ]
        if with_gradient:
            gradients, factors = zip(*with_gradient, strict=True)
            torch._foreach_mul_(gradients, factors)

    @torch.no_grad()
    def clear(self) -> None:
        """Set the weights outside the masks to zero, even those that are no numbers: NaN · 0 is
        NaN, so `apply` leaves them in a run that diverged."""
        for parameter, factor in zip(self._pruned, self._factors, strict=True):
            parameter.masked_fill_(factor == 0, 0.0)
