"""The masks of a network that nothing is pruned of yet."""

from typing import cast

import torch
from torch import Tensor

from lp_core.models.structure import Prunable, prunable
from tasks.kit.training import StageTrainer


def dense_masks(trainer: StageTrainer) -> dict[str, Tensor]:
    """All weights that may be pruned, kept. Reads the section imp.prunable."""
    kind = cast(Prunable, trainer.params.section("imp.prunable", str))
    weights = dict(trainer.model.named_parameters())
    return {
        name: torch.ones_like(weights[name], dtype=torch.bool)
        for name in prunable(trainer.model, kind)
    }
