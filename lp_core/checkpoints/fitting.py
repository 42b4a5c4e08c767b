"""A checkpoint as a ticket of a network that stands beside it.

Names are brought to the network's, numbers to its type, and what the file leaves open about masks
is decided: a weight without one has a zero where it was pruned.
"""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lp_core.checkpoints.checkpoint import Checkpoint
from lp_core.checkpoints.names import matched
from lp_core.errors import InputError
from lp_core.interchange import from_state_dict
from lp_core.models.structure import prunable
from lp_core.tickets import Ticket

_COUNTER = "num_batches_tracked"  # of batch norm; older files have none


def fit(
    checkpoint: Checkpoint,
    model: nn.Module,
    layers: Collection[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Ticket:
    """The ticket that a checkpoint of this architecture is; the model stays as it is.

    layers: names of the weights that may be pruned, which is what the ticket's mask is of; None for
    those that the file has masks for, or else as `Ticket.from_state_dict` has it. Raises
    InputError, naming the file, where the checkpoint is of another network, or its masks are.
    """
    own = named(checkpoint, model)
    state, masks, able = own.state, own.masks, prunable(model, "conv+linear")
    try:
        if strange := sorted(masks.keys() - set(able)):
            raise InputError(
                f"it has a mask of {strange[0]}, which is no convolution or linear weight of the "
                "network; masks are of those alone"
            )
        if layers is not None:
            chosen = [name for name in able if name in state and name in layers]
            masks = {name: masks[name] if name in masks else state[name] != 0 for name in chosen}
        return from_state_dict(state, masks or None, model, meta)
    except InputError as error:
        raise InputError(f"{checkpoint.path}: {error}") from error


def named(checkpoint: Checkpoint, model: nn.Module) -> Checkpoint:
    """The checkpoint with the names and types of the model's tensors, as far as it has them.

    Half precision becomes the network's type, exactly.
    """
    own = model.state_dict()
    state = _as_in(own, matched(checkpoint.state, own))
    return Checkpoint(checkpoint.path, state, matched(checkpoint.masks, own))


def _as_in(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in the types of the network's, and the counters that the file lacks."""
    tensors = {
        name: tensor.to(own[name].dtype)
        if name in own and tensor.is_floating_point() and own[name].is_floating_point()
        else tensor
        for name, tensor in state.items()
    }
    lacking = (name for name in own if name.endswith(f".{_COUNTER}") and name not in tensors)
    return tensors | {name: torch.zeros_like(own[name], device="cpu") for name in lacking}
