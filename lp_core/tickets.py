"""A ticket: one trained sparse network, as it is kept in memory and on disk.

On disk a ticket holds only the weights that its mask keeps, and the mask as bits, so that a whole
trail of tickets (Lottery Pools, Algorithm 1) costs about a quarter of its dense checkpoints.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lp_core.errors import InputError, MissingInputError
from lp_core.files import atomic_write

_FORMAT = "lottery-pools ticket 1"


class TicketError(InputError):
    """A file that should hold a ticket does not."""


@dataclass
class Ticket:
    """A sparse network's weights, mask, batch-norm buffers, and where they come from.

    weights: every parameter by name, dense tensors with zeros where the mask has none.
    mask: for the prunable weights only, bool tensors of the weights' shapes.
    buffers: batch-norm running means, variances and counters by name.
    meta: densities, seeds, epochs, accuracies, lineage: what JSON can hold.
    """

    weights: dict[str, Tensor]
    mask: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Number of prunable weights that the mask keeps."""
        return sum(int(mask.sum()) for mask in self.mask.values())

    @property
    def prunable(self) -> int:
        """Number of prunable weights, kept or not."""
        return sum(mask.numel() for mask in self.mask.values())

    @property
    def density(self) -> float:
        """Fraction of the prunable weights that the mask keeps, 0–1."""
        return self.kept / self.prunable

    @classmethod
    def of(cls, model: nn.Module, mask: Mapping[str, Tensor], meta: Mapping[str, Any]) -> "Ticket":
        """A copy of the network's present state on the CPU."""
        # contiguous(): channels_last is how a device likes its weights, not a part of the ticket.
        weights = {n: p.detach().cpu().clone().contiguous() for n, p in model.named_parameters()}
        buffers = {n: b.detach().cpu().clone() for n, b in model.named_buffers()}
        return cls(weights, {n: m.cpu() for n, m in mask.items()}, buffers, dict(meta))

    def to(self, device: torch.device, layout: torch.memory_format) -> "Ticket":
        """The same ticket on a device, convolution weights in the given layout."""
        weights = {
            name: weight.to(device).contiguous(memory_format=layout)
            if weight.ndim == 4
            else weight.to(device)
            for name, weight in self.weights.items()
        }
        mask = {name: mask.to(device) for name, mask in self.mask.items()}
        buffers = {name: buffer.to(device) for name, buffer in self.buffers.items()}
        return Ticket(weights, mask, buffers, self.meta)

    @torch.no_grad()
    def load_into(self, model: nn.Module) -> None:
        """Copy weights and buffers into a network of the same architecture.

        Raises InputError, before anything is copied, where the network's parameters or buffers
        have other names or shapes.
        """
        ours = self.weights | self.buffers
        theirs = dict(model.named_parameters()) | dict(model.named_buffers())
        odd = set(ours) ^ set(theirs)
        odd |= {name for name in set(ours) & set(theirs) if ours[name].shape != theirs[name].shape}
        if odd:
            raise InputError(
                f"the ticket is of another network: {len(odd)} tensors differ, such as "
                f"{min(odd)}; build the network that it was trained with"
            )
        for name, tensor in theirs.items():
            tensor.copy_(ours[name])

    def save(self, path: str | Path) -> None:
        """Write to `path` in one step; whatever was there stays whole until then."""
        tensors: dict[str, Tensor] = {}
        shapes: dict[str, list[int]] = {}
        for name, weight in self.weights.items():
            mask = self.mask.get(name)
            if mask is None or bool(mask.all()):
                tensors[f"weight:{name}"] = weight.cpu().contiguous()
                continue
            mask = mask.cpu().contiguous()
            tensors[f"kept:{name}"] = weight.cpu()[mask]
            tensors[f"mask:{name}"] = torch.from_numpy(np.packbits(mask.numpy()))
            shapes[name] = list(weight.shape)
        tensors |= {
            f"buffer:{name}": buffer.cpu().contiguous() for name, buffer in self.buffers.items()
        }
        about = {
            "format": _FORMAT,
            "order": list(self.weights),
            "prunable": list(self.mask),
            "shapes": shapes,
            "meta": self.meta,
        }
        # One metadata key: safetensors writes several in no fixed order, and equal tickets must
        # be equal files.
        with atomic_write(Path(path)) as temporary:
            save_file(tensors, temporary, {"ticket": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> "Ticket":
        """Read a ticket onto the CPU.

        Raises MissingInputError if there is none, TicketError (naming the file) if the file is
        truncated or is something else.
        """
        with _opened(path) as (file, about):
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return cls(*_unpack(tensors, about), about["meta"])


def read_meta(path: str | Path) -> dict[str, Any]:
    """The `meta` of the ticket in a file, without its tensors. Raises what `Ticket.load` does."""
    with _opened(path) as (_, about):
        meta: dict[str, Any] = about["meta"]
        return meta


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A ticket's file, and what its head says. Faults met while it is open are one clear error."""
    if not Path(path).is_file():
        raise MissingInputError(f"{path}: no such ticket")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["ticket"])
            if about["format"] != _FORMAT:
                raise TicketError(f"{path}: format {about['format']!r}, not {_FORMAT!r}")
            yield file, about
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, RuntimeError) as error:
        raise TicketError(
            f"{path}: not a whole ticket ({error}); delete it and run its stage again"
        ) from error


def _unpack(
    tensors: dict[str, Tensor], about: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    weights: dict[str, Tensor] = {}
    mask: dict[str, Tensor] = {}
    for name in about["order"]:
        if name not in about["shapes"]:
            weights[name] = tensors[f"weight:{name}"]
            if name in about["prunable"]:
                mask[name] = torch.ones_like(weights[name], dtype=torch.bool)
            continue
        shape = torch.Size(about["shapes"][name])
        bits = np.unpackbits(tensors[f"mask:{name}"].numpy(), count=shape.numel())
        mask[name] = torch.from_numpy(bits.astype(bool)).view(shape)
        values = tensors[f"kept:{name}"]
        weights[name] = torch.zeros(shape, dtype=values.dtype)
        weights[name][mask[name]] = values
    # The mask comes in the order in which its maker listed it: ties in magnitude go by position.
    mask = {name: mask[name] for name in about["prunable"]}
    buffers = {k.removeprefix("buffer:"): t for k, t in tensors.items() if k.startswith("buffer:")}
    return weights, mask, buffers
