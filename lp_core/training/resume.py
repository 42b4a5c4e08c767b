"""The state of an unfinished run: written after every epoch, read when the run is started again.

Safetensors, never pickle, and replaced in one step: a kill leaves the last finished epoch.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from lp_core.files import atomic_write


@dataclass(frozen=True)
class Epoch:
    """One finished epoch. accuracy: 0–1, loss: mean cross-entropy, lr: at the epoch's end.

    val_accuracy and val_loss are of the held-out split. seconds: wall time, validation included.
    """

    epoch: int
    lr: float
    accuracy: float
    loss: float
    val_accuracy: float
    val_loss: float
    seconds: float


def save_state(
    path: Path, model: nn.Module, optimizer: torch.optim.SGD, curve: list[Epoch]
) -> None:
    """Keep weights, buffers, momentum and the curve so far."""
    tensors = {f"model:{name}": t.contiguous() for name, t in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        momentum = optimizer.state[parameter].get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum:{name}"] = momentum.contiguous()
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {"curve": json.dumps([asdict(epoch) for epoch in curve])})


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.SGD) -> list[Epoch]:
    """Put back what `save_state` kept; the curve tells how far the run had come.

    An unreadable file (a disk that filled up, say) means starting over: an empty curve, and
    network and optimizer as they were.
    """
    try:
        with safe_open(path, framework="pt") as file:
            curve = [Epoch(**row) for row in json.loads(file.metadata()["curve"])]
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, json.JSONDecodeError):
        return []
    model.load_state_dict(
        {k.removeprefix("model:"): t for k, t in tensors.items() if k.startswith("model:")}
    )
    for name, parameter in model.named_parameters():
        momentum = tensors.get(f"momentum:{name}")
        if momentum is not None:
            # As the optimizer would have made it: on the parameter's device, in its layout.
            kept = torch.empty_like(parameter, memory_format=torch.preserve_format)
            optimizer.state[parameter]["momentum_buffer"] = kept.copy_(momentum)
    return curve
