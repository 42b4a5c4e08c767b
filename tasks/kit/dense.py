"""The masks of a network that nothing is pruned of yet."""

from typing import cast

import torch
from torch import Tensor

from lp_core.errors import InputError
from lp_core.models.structure import Prunable, prunable
from tasks.kit.training import StageTrainer


def dense_masks(trainer: StageTrainer) -> dict[str, Tensor]:
    """All weights that may be pruned, kept. Reads the section imp.prunable."""
    weights = dict(trainer.model.named_parameters())
    return {
        name: torch.ones_like(weights[name], dtype=torch.bool)
        for name in prunable_weights(trainer, "imp.prunable")
    }


def prunable_weights(trainer: StageTrainer, key: str) -> list[str]:
    """The names of the weights that may be pruned. key: the setting that says which do.

    Raises InputError where the network has none.
    """
    kind = cast(Prunable, trainer.params.section(key, str))
    names = prunable(trainer.model, kind)
    if not names:
        others = kind == "conv" and prunable(trainer.model, "conv+linear")
        raise InputError(
            f"{key} is {kind}, and {trainer.bench.model_spec.name} has no such weights; "
            + ("give conv+linear" if others else "choose another network")
        )
    return names
