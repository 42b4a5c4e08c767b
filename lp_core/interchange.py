"""Tickets from and to what others have: state_dicts, masks of their own, networks as modules.

Checks everything that pooling relies on before a ticket is made, so that what is wrong with a
checkpoint is one clear line here and not a traceback there. No stage that trains or measures runs
any of this (`lp_core.tickets` finds it by name), so that none of them depends on this file.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lp_core.checkpoints.dense import require_dense
from lp_core.checkpoints.masked import split_masks
from lp_core.checkpoints.names import matched
from lp_core.errors import InputError, kind
from lp_core.models.architecture import Architecture
from lp_core.models.structure import prunable
from lp_core.tickets import Ticket

Tensors = dict[str, Tensor]

_UNDER_PRUNING = "_orig"  # how torch.nn.utils.prune's parameters end
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def from_state_dict(
    state: Mapping[str, Tensor],
    mask: Mapping[str, Tensor] | None = None,
    network: nn.Module | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Ticket:
    """See `Ticket.from_state_dict`."""
    tensors, implied = split_masks(_copied(state, "the state"))
    if implied and mask is not None:
        raise InputError(
            f"the state holds masks, such as that of {min(implied)}, and there is a mask beside "
            "it; leave one of them out"
        )
    if network is None:
        weights, buffers = _by_name(tensors)
    else:
        require_network(network)
        implied = matched(implied, network.state_dict())
        weights, buffers = _of_network(matched(tensors, network.state_dict()), network)
    _require_finite(weights | buffers)
    if mask is not None:
        masks = _require_fitting(matched(_copied(mask, "the mask"), weights), weights)
    elif implied:
        masks = _require_fitting({n: implied[n] for n in weights if n in implied}, weights)
    else:
        masks = _by_zeros(weights, network)
    if not any(bool(kept.any()) for kept in masks.values()):
        count = sum(kept.numel() for kept in masks.values())
        raise InputError(f"the mask keeps none of {count} weights; there is no network left")
    weights |= {name: weights[name].where(kept, 0.0) for name, kept in masks.items()}
    return Ticket(weights, masks, buffers, _require_json(meta or {}))


def require_network(network: Any) -> None:
    """Raises InputError for what is no module."""
    if not isinstance(network, nn.Module):
        raise InputError(
            f"network is {kind(network)}; give a module of the tickets' architecture, such as "
            "MyNetwork()"
        )


def require_sound(ticket: Any, name: str) -> None:
    """Raises InputError for what `from_state_dict` would not have made: no ticket, weights that are
    not finite, masks of none of its weights. name: what the error calls it."""
    if not isinstance(ticket, Ticket):
        raise InputError(f"{name} is {kind(ticket)}; make a ticket with Ticket.from_state_dict")
    try:
        _require_finite(ticket.weights | ticket.buffers)
        _require_fitting(ticket.mask, ticket.weights)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def state_dict(ticket: Ticket) -> Tensors:
    """See `Ticket.state_dict`."""
    last = {_module(name): name for name in ticket.weights}
    waiting = dict(ticket.buffers)
    state: Tensors = {}
    for name, weight in ticket.weights.items():
        state[name] = weight
        if last[_module(name)] == name:
            own = [buffer for buffer in waiting if _module(buffer) == _module(name)]
            state |= {buffer: waiting.pop(buffer) for buffer in own}
    return {name: tensor.clone() for name, tensor in (state | waiting).items()}


def network(ticket: Ticket) -> nn.Module:
    """See `Ticket.network`."""
    about = ticket.meta.get("network")
    if not isinstance(about, Mapping):
        raise InputError(
            f"{ticket.name}: does not say of which network it is, as tickets of older versions and "
            "those of an own state do not; build that network, then ticket.load_into(network)"
        )
    try:
        model = Architecture.of(about).build()
    except InputError as error:
        raise InputError(f"{ticket.name}: its network cannot be built again: {error}") from error
    ticket.load_into(model)
    return model.eval()


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _copied(tensors: Mapping[str, Tensor], what: str) -> Tensors:
    """Copies on the CPU. Raises InputError where one is no tensor, or there is none."""
    if not isinstance(tensors, Mapping):
        raise InputError(f"{what} is a {type(tensors).__name__}; give tensors by name")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            nested = [key for key, value in tensors.items() if isinstance(value, Mapping)]
            there = f", such as those under {nested[0]!r}" if nested else ""
            raise InputError(
                f"{what} has {name}, which is {kind(tensor)} and no tensor; give tensors by name, "
                f"as network.state_dict() does{there}"
            )
    if not tensors:
        raise InputError(f"{what} is empty; give tensors by name, or leave it out")
    require_dense(tensors)
    return {n: t.detach().to("cpu", copy=True).contiguous() for n, t in tensors.items()}


def _by_name(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """Weights and buffers where there is no network to ask: buffers are what batch norm calls its
    own, and what is no floating-point number."""
    buffers = {
        name: tensor
        for name, tensor in tensors.items()
        if not tensor.is_floating_point() or name.rpartition(".")[2] in _STATISTICS
    }
    return {n: t for n, t in tensors.items() if n not in buffers}, buffers


def _of_network(tensors: Tensors, network: nn.Module) -> tuple[Tensors, Tensors]:
    """Weights and buffers in the network's order, as it names them. Raises InputError where the
    state is of another network."""
    parameters, buffers = dict(network.named_parameters()), dict(network.named_buffers())
    if wrapped := [n for n in parameters if n.endswith(_UNDER_PRUNING)]:
        name = wrapped[0].removesuffix(_UNDER_PRUNING)
        raise InputError(
            f"the network is under torch.nn.utils.prune (it has {wrapped[0]}); give one that was "
            f"built anew, or call torch.nn.utils.prune.remove for {name} and the others first"
        )
    own: Mapping[str, Tensor] = parameters | buffers
    # What is not in a state_dict (persistent=False) is the constructor's to make. What is in it
    # under a second name (tied weights) is the same tensor.
    listed = network.state_dict().keys()
    made = {n: b.detach().cpu().clone() for n, b in buffers.items() if n not in listed}
    tensors = made | {n: t for n, t in tensors.items() if n in own or n not in listed}
    missing, surplus = sorted(own.keys() - tensors), sorted(tensors.keys() - own)
    if missing or surplus:
        parts = [f"has no {name}" for name in missing[:1]]
        parts += [f"has {name}, which the network has not" for name in surplus[:1]]
        raise InputError(
            f"the state is of another network: it {' and '.join(parts)} "
            f"({len(missing) + len(surplus)} names differ); build the one that it was trained with"
        )
    for name, tensor in own.items():
        found = tensors[name]
        if found.shape != tensor.shape:
            raise InputError(
                f"the state is of another network: {name} is {_by(found)}, but {_by(tensor)} in "
                "the network; build the one that it was trained with"
            )
        if found.dtype != tensor.dtype:
            raise InputError(
                f"{name} is {found.dtype} in the state and {tensor.dtype} in the network; convert "
                "one of them, such as network.float()"
            )
    return {n: tensors[n] for n in parameters}, {n: tensors[n] for n in buffers}


def _by(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "one number"


def _require_finite(tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in (*_FLOATING, *_WHOLE):
            raise InputError(
                f"{name} is {tensor.dtype}; give torch.float32, or torch.int64 of what counts"
            )
        if bad := int((~tensor.isfinite()).sum()):
            raise InputError(
                f"{name} has {bad} values that are NaN or infinite; a network that diverged would "
                "ruin every average that takes it in: leave it out"
            )


_FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def _require_fitting(masks: Tensors, weights: Tensors) -> Tensors:
    """The masks as bool tensors. Raises InputError where they are not masks of these weights."""
    for name, kept in masks.items():
        if name not in weights:
            told = f"{name}.weight" if f"{name}.weight" in weights else ", ".join(list(weights)[:3])
            raise InputError(
                f"the mask has {name}, which is no weight of the network; names are those of the "
                f"state_dict, such as {told}"
            )
        if kept.shape != weights[name].shape:
            raise InputError(
                f"the mask of {name} is {_by(kept)}, but the weight is {_by(weights[name])}; give "
                "one of the same shape"
            )
        if bool(((kept != 0) & (kept != 1)).any()):
            raise InputError(
                f"the mask of {name} has values that are neither 0 nor 1; give 1 (or true) for "
                "what is kept, 0 for what is pruned"
            )
    return {name: kept.bool() for name, kept in masks.items()}


def _by_zeros(weights: Tensors, network: nn.Module | None) -> Tensors:
    """The masks that zeros imply."""
    if network is not None:
        layers = [name for name in prunable(network, "conv+linear") if name in weights]
    else:
        layers = [n for n, w in weights.items() if n.endswith("weight") and w.ndim >= 2]
    linear = {name for name in layers if weights[name].ndim == 2}
    # Linear layers count where they were pruned, or there is nothing else: a network's classifier
    # is commonly left whole, and must not be pruned when its convolutions are.
    if len(linear) < len(layers) and all(bool(weights[name].all()) for name in linear):
        layers = [name for name in layers if name not in linear]
    if not layers:
        raise InputError(
            "the state has no convolution and no linear weight; give a mask that names what may "
            "be pruned"
        )
    return {name: weights[name] != 0 for name in layers}


def _require_json(meta: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(dict(meta))
    except (TypeError, ValueError) as error:
        raise InputError(f"meta cannot be kept in a file ({error}); give what JSON holds") from None
    return dict(meta)
