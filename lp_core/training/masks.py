"""The masks of a run. They may change while it lasts, as those of dynamic sparse training do."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lp_core.training.sgd import SGD


class Masks(Mapping[str, Tensor]):
    """For each prunable parameter by name, which of its weights are kept: bool, of its shape.

    They lie where the parameters lie and in their layout. `change` them, do not write into them.
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
    def change(self, masks: Mapping[str, Tensor], reset_momentum: bool = False) -> None:
        """Take other masks, of all parameters that have one or of some of them.

        Weights that are no longer kept become zero. Weights that are kept anew start from what the
        parameter holds, which is zero unless the caller wrote something else there before.
        reset_momentum: the optimiser forgets the momentum of every weight that left or came.
        """
        for name, mask in masks.items():
            parameter = self._parameters[name]
            kept = torch.empty_like(parameter, dtype=torch.bool).copy_(mask)
            momentum = self._optimizer.momenta.get(parameter)
            if reset_momentum and momentum is not None and name in self._masks:
                momentum.masked_fill_(kept ^ self._masks[name], 0.0)
            self._masks[name] = kept
        sparse = [name for name, kept in self._masks.items() if not kept.all()]
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
    def clear(self) -> None:
        """Set the weights outside the masks to zero, even those that are no numbers: NaN · 0 is
        NaN, so `apply` leaves them in a run that diverged."""
        for parameter, factor in zip(self._pruned, self._factors, strict=True):
            parameter.masked_fill_(factor == 0, 0.0)
