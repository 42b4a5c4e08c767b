"""What all sparse training methods have in common: their settings, and how they are called.

A method trains a sparse network from scratch (Sup-tickets, section 3.1): it draws a mask for the
untrained network, may change it while the network trains, and says how a mask is explored once
when a cycle of Sup-tickets begins.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lp_core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lp_core.compute import Compute
    from lp_core.data.epoch import Batch
    from lp_core.training.hooks import Hook


@dataclass(frozen=True, kw_only=True)
class SparseMethod:
    """A way to train a sparse network from scratch, with its settings. As it stands: a random
    mask, of the same density in every layer, that never changes.

    density: fraction of all prunable weights that the trained network keeps. It keeps exactly
    round(density · weights).

    A method's file imports PyTorch inside its methods alone, so that its settings can be checked
    without.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    density: float

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise InputError(f"density is {self.density}; it must lie in 0 … 1, above 0")

    def require_fits(self, epochs: int, superposing: int) -> None:
        """Raises InputError where settings do not fit into a training of `epochs`.

        superposing: the first epoch in which any ending of the method superposes; `epochs` where
        none does.
        """

    def density_at(self, step: int, steps_per_epoch: int) -> float:  # noqa: ARG002 (of subclasses)
        """The fraction of all prunable weights that is kept from `step` to the next update."""
        return self.density

    def layer_densities(
        self, shapes: Mapping[str, Sequence[int]], density: float
    ) -> dict[str, float]:
        """The layers' densities at the beginning, when that of all together is `density`.

        shapes: of the prunable weights, by name.
        """
        from lp_core.sparsity.densities import uniform_densities

        return uniform_densities(shapes, density)

    def initial_masks(
        self,
        model: "nn.Module",
        prunable: Sequence[str],
        first_batch: "Callable[[], Batch]",  # noqa: ARG002 (a subclass looks at it)
        seed: int,
        compute: "Compute",  # noqa: ARG002
    ) -> "dict[str, Tensor]":
        """The masks that training begins with: for each prunable weight, bool tensors of its shape.

        model: untrained; it is left as it was. prunable: names of its weights. first_batch: gives
        the first batch of the training; the whole of it, however many processes share it. seed: of
        random draws, a run's `noise`. Raises InputError for a density that leaves a layer without
        any weight.
        """
        from lp_core.seeds import mask_seed
        from lp_core.sparsity.random_draws import random_masks

        shapes = {name: model.get_parameter(name).shape for name in prunable}
        density = self.density_at(0, steps_per_epoch=1)
        keep = round(density * sum(shape.numel() for shape in shapes.values()))
        densities = self.layer_densities(shapes, density)
        return random_masks(shapes, densities, keep, mask_seed(seed, 0))

    def updates(
        self, steps: int, steps_per_epoch: int, seed: int, stop: int | None = None
    ) -> "Hook | None":
        """What changes the masks while the network trains; None where nothing does.

        steps: of the whole training. seed: of random draws, a run's `noise`. stop: the step from
        which on nothing changes them, which is where Sup-tickets begins; None: to the end.
        """

    def growth_scores(
        self,
        weights: "Mapping[str, Tensor]",  # noqa: ARG002 (a subclass looks at it)
        gradients: "Callable[[], Mapping[str, Tensor]]",
        seed: int,  # noqa: ARG002
    ) -> "Mapping[str, Tensor]":
        """What new connections are chosen by, largest magnitude first (Φ of equation 2).

        A static method has no criterion of its own for Sup-tickets to inherit: by gradient.
        """
        return gradients()

    def explore(
        self,
        masks: "Mapping[str, Tensor]",
        weights: "Mapping[str, Tensor]",
        gradients: "Callable[[], Mapping[str, Tensor]]",
        prune_rate: float,
        seed: int,
    ) -> "dict[str, Tensor]":
        """The masks after one parameter exploration (equations 1 and 2), layer by layer.

        weights: of the masks' names. gradients: called where the method asks for a dense gradient.
        prune_rate: share of a layer's connections that go, and that come. seed: of random draws;
        another one for each exploration.
        """
        from lp_core.sparsity.exploration import prune_and_grow

        scores = self.growth_scores(weights, gradients, seed)
        return prune_and_grow(masks, weights, scores, prune_rate)
