"""A ticket's network written as others write theirs, by their own means and none of ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import prune

from lp_core.tickets import Ticket


def with_weights(network: nn.Module, ticket: Ticket) -> nn.Module:
    """The network as PyTorch itself would load it."""
    network.load_state_dict({**ticket.weights, **ticket.buffers})
    return network


def unmasked(ticket: Ticket, seed: int = 0) -> dict[str, Tensor]:
    """A state_dict in which what is pruned has been moved off zero."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: tensor.clone() for name, tensor in (ticket.weights | ticket.buffers).items()}
    for name, mask in ticket.mask.items():
        state[name] += torch.randn(mask.shape, generator=generator) * ~mask
    return state


def save_plain(path: Path, network: nn.Module, ticket: Ticket) -> None:
    """A state_dict whose zeros are what was pruned."""
    _save(with_weights(network, ticket).state_dict(), path)


def save_trainer(path: Path, network: nn.Module, ticket: Ticket) -> None:
    """What a training script leaves to go on from: the network under DataParallel, and the rest."""
    wrapped = nn.DataParallel(with_weights(network, ticket))
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9)
    for parameter in wrapped.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    with_weights(network, ticket)
    content = {"epoch": 9, "state_dict": wrapped.state_dict(), "optimizer": optimizer.state_dict()}
    _save(content | {"best": 0.5, "rng": torch.get_rng_state()}, path)


def save_safetensors(path: Path, network: nn.Module, ticket: Ticket) -> None:
    """The same tensors as a hub has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(with_weights(network, ticket).state_dict(), path, {"format": "pt"})


def save_prune(path: Path, network: nn.Module, ticket: Ticket) -> None:
    """A network under torch.nn.utils.prune, whose pruned weights keep the values they had."""
    network.load_state_dict(unmasked(ticket))
    for name, mask in ticket.mask.items():
        module, _, parameter = name.rpartition(".")
        prune.custom_from_mask(network.get_submodule(module), parameter, mask)
    _save(network.state_dict(), path)


def save_openlth(path: Path, network: nn.Module, ticket: Ticket) -> None:
    """As OpenLTH lays out a level: the weights after a step that no mask touched, and mask.pth."""
    network.load_state_dict(unmasked(ticket, seed=1))
    _save(network.state_dict(), path)
    _save({n: m.float().cpu().int() for n, m in ticket.mask.items()}, path.parent / "mask.pth")


def save_openlth_checkpoint(path: Path, network: nn.Module, ticket: Ticket) -> None:
    """As OpenLTH keeps a training that goes on: a model in a pruned model, masks as buffers."""
    pruned = nn.Module()
    pruned.model = with_weights(network, ticket)
    for name, mask in ticket.mask.items():
        pruned.register_buffer("mask_" + name.replace(".", "___"), mask.float())
    optimizer = torch.optim.SGD(pruned.parameters(), lr=0.1)
    states = {
        "model_state_dict": pruned.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
    }
    _save({"ep": 3, "it": 0, "logger": "test,0"} | states, path)


WRITERS: dict[str, Callable[[Path, nn.Module, Ticket], None]] = {
    "plain.pt": save_plain,
    "trainer.pth": save_trainer,
    "weights.safetensors": save_safetensors,
    "pruned.pt": save_prune,
    "model_ep160_it0.pth": save_openlth,
    "checkpoint.pth": save_openlth_checkpoint,
}


def _save(content: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
