"""The state of a run as a file: to go on with a killed run, or to start others from one prefix.

It holds all that the next epoch depends on: weights, buffers, momentum, masks, the hooks' own state
and the curve so far. Safetensors, never pickle, and replaced in one step: a kill leaves the last
finished epoch. A digest tells a damaged file from a whole one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lp_core.checksums import tensors_digest
from lp_core.errors import InputError, MissingInputError
from lp_core.files import atomic_write
from lp_core.training.curve import Epoch
from lp_core.training.hooks import Hook, Progress
from lp_core.training.masks import Masks

_FORMAT = "lottery-pools run 1"


class StateError(InputError):
    """A file that should hold the state of a run does not, or holds that of another run.

    path: the file. found: what is wrong with it.
    """

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path}: {found}")
        self.path, self.found = path, found


def save_state(path: Path, progress: Progress, hooks: Sequence[Hook] = ()) -> None:
    """Write the state as it is after an epoch."""
    tensors = {f"model:{name}": tensor for name, tensor in progress.model.state_dict().items()}
    for name, parameter in progress.model.named_parameters():
        momentum = progress.optimizer.momenta.get(parameter)
        if momentum is not None:
            tensors[f"momentum:{name}"] = momentum
    for name, mask in progress.masks.items():
        tensors[f"mask:{name}"] = torch.from_numpy(np.packbits(mask.cpu().contiguous().numpy()))
    head: dict[str, Any] = {
        "format": _FORMAT,
        "curve": [asdict(epoch) for epoch in progress.curve],
        "masks": list(progress.masks),
        "hooks": {},
    }
    for hook in hooks:
        state = hook.state_dict()
        own = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        # A copy: safetensors refuses tensors that share memory, and a hook may keep a weight.
        tensors |= {f"hook:{hook.name}:{name}": tensor.clone() for name, tensor in own.items()}
        values = {name: value for name, value in state.items() if name not in own}
        head["hooks"][hook.name] = {"tensors": list(own), "values": values}
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    # One metadata key: safetensors writes several in no fixed order.
    text = json.dumps({"digest": tensors_digest(json.dumps(head), tensors), "head": head})
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {"run": text})


def load_state(path: Path, progress: Progress, hooks: Sequence[Hook] = ()) -> None:
    """Put back what `save_state` kept; the curve tells how far the run had come.

    A hook that had no part in the run that was saved is left as it is; the state of one that has
    none in this run is passed over. Raises MissingInputError if there is no file, and StateError,
    before anything is changed, if it is damaged or of another network.
    """
    head, tensors = _read(path)
    state = _part(tensors, "model:")
    momenta = _part(tensors, "momentum:")
    masks = _part(tensors, "mask:")
    parameters = dict(progress.model.named_parameters())
    expected = {name: tensor.shape for name, tensor in progress.model.state_dict().items()}
    shapes = {name: parameter.shape for name, parameter in parameters.items()}
    odd = set(expected.keys() ^ state.keys())
    odd |= {name for name in expected.keys() & state.keys() if expected[name] != state[name].shape}
    odd |= {name for name, momentum in momenta.items() if shapes.get(name) != momentum.shape}
    odd |= {
        name
        for name, bits in masks.items()
        if name not in shapes or len(bits) != (shapes[name].numel() + 7) // 8
    }
    if odd:
        raise StateError(
            path, f"the state of another network: {len(odd)} tensors differ, such as {min(odd)}"
        )

    progress.model.load_state_dict(state)
    for name, momentum in momenta.items():
        # As the optimiser would have made it: on the parameter's device, in its layout.
        own = torch.empty_like(parameters[name], memory_format=torch.preserve_format)
        progress.optimizer.momenta[parameters[name]] = own.copy_(momentum)
    kept = {name: _unpacked(masks[name], shapes[name]) for name in head["masks"]}
    progress.masks = Masks(progress.model, progress.optimizer, kept)
    progress.curve[:] = [Epoch(**row) for row in head["curve"]]
    for hook in hooks:
        if saved := head["hooks"].get(hook.name):
            device = progress.compute.device
            own_tensors = {n: tensors[f"hook:{hook.name}:{n}"].to(device) for n in saved["tensors"]}
            hook.load_state_dict(own_tensors | saved["values"])


def read_hooks(path: Path) -> dict[str, dict[str, Any]]:
    """What the hooks of the run in a file kept, by hook, but for tensors.

    Raises MissingInputError if there is no file, and StateError if it is damaged.
    """
    head, _ = _read(path)
    return {name: saved["values"] for name, saved in head["hooks"].items()}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The head and the tensors of a file that is whole."""
    if not path.exists():
        raise MissingInputError(f"{path}: no such state of a run")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["run"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        head: dict[str, Any] = metadata["head"]
        if metadata["digest"] != tensors_digest(json.dumps(head), tensors):
            raise StateError(path, "damaged: its digest is not that of its contents")
        if head["format"] != _FORMAT:
            raise StateError(path, f"format {head['format']!r}, not {_FORMAT!r}")
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise StateError(path, f"not the state of a run ({error})") from error
    return head, tensors


def _part(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}


def _unpacked(bits: Tensor, shape: torch.Size) -> Tensor:
    flat = np.unpackbits(bits.numpy(), count=shape.numel()).astype(bool)
    return torch.from_numpy(flat).view(shape)
