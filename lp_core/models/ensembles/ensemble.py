"""What efficient ensembles have in common: how a batch is shared, and what the network answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from lp_core.errors import InputError

# As many as the cheap tickets that the paper superposes on CIFAR: three cycles of 8 epochs.
MEMBERS = 3

# Builds one network, such as `lp_core.models.build` does, with weights drawn from a seed.
Build = Callable[[int], nn.Module]


class Ensemble(nn.Module, ABC):
    """Several members in one network.

    In training each member sees its own share of the batch, an M-th of consecutive images (where
    M does not divide it, the first shares have one more), and the logits come in the images' order,
    B×classes: the ordinary loop trains all members in the time of one. In evaluation the network
    answers with the mean of all members' logits.
    """

    def __init__(self, members: int) -> None:
        """members: M. Raises InputError for fewer than two, which never disagree."""
        super().__init__()
        if members < 2:
            raise InputError(f"members is {members}; an ensemble needs at least 2")
        self.count = members

    def forward(self, images: Tensor) -> Tensor:
        """Images B×C×H×W to logits B×classes.

        Raises InputError in training for a batch of fewer images than members.
        """
        if not self.training:
            return self.members(images).mean(0)
        if len(images) < self.count:
            raise InputError(
                f"train.batch_size: a batch of {len(images)} images cannot be shared among "
                f"{self.count} members; give at least {self.count}"
            )
        return self.shared_out(images)

    @abstractmethod
    def shared_out(self, images: Tensor) -> Tensor:
        """Logits B×classes, each image's by the member whose share it is in."""

    @abstractmethod
    def members(self, images: Tensor) -> Tensor:
        """Every member's logits of every image, M×B×classes."""
