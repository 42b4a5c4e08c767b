"""A ticket: one trained sparse network, as it is kept in memory and on disk.

On disk a ticket holds only the weights that its mask keeps, and the mask as bits, so that a whole
trail of tickets (Lottery Pools, Algorithm 1) costs about a quarter of its dense checkpoints.
"""

import json
import math
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

from lp_core.checksums import sealed, tensors_digest, unsealed
from lp_core.errors import DamagedError, InputError, MissingInputError
from lp_core.files import atomic_write

_FORMAT = "lottery-pools ticket 3"
_DIGITS = 32  # of a digest


class TicketError(DamagedError):
    """A file that should hold a ticket does not."""


@dataclass
class Ticket:
    """A sparse network's weights, mask, batch-norm buffers, and where they come from.

    weights: every parameter by name, dense tensors with zeros where the mask has none.
    mask: for the prunable weights only, bool tensors of the weights' shapes.
    buffers: batch-norm running means, variances and counters by name.
    meta: densities, seeds, epochs, accuracies, lineage: what JSON can hold.
    name: what errors call it; the file that it was read from.
    """

    weights: dict[str, Tensor]
    mask: dict[str, Tensor]
    buffers: dict[str, Tensor] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    name: str = field(default="the ticket", compare=False)

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
        return Ticket(weights, mask, buffers, self.meta, self.name)

    @torch.no_grad()
    def load_into(self, model: nn.Module) -> None:
        """Copy weights and buffers into a network of the same architecture.

        Raises InputError, before anything is copied, where the network's parameters or buffers
        have other names or shapes.
        """
        self.require_fits(model)
        tensors = self.weights | self.buffers
        for name, target in (*model.named_parameters(), *model.named_buffers()):
            target.copy_(tensors[name])

    def require_fits(self, model: nn.Module) -> None:
        """Raises InputError where `load_into` would."""
        tensors = self.weights | self.buffers
        targets = dict(model.named_parameters()) | dict(model.named_buffers())
        differing = set(tensors) ^ set(targets)
        common = set(tensors) & set(targets)
        differing |= {name for name in common if tensors[name].shape != targets[name].shape}
        if differing:
            raise InputError(
                f"{self.name}: of another network: {len(differing)} tensors differ, such as "
                f"{min(differing)}; build the network that it was trained with"
            )

    @property
    def digest(self) -> str:
        """32 hex digits that stand for the ticket's tensors, worked out anew each time.

        Names, shapes, types and values of weights, mask and buffers shape it; `meta` does not, nor
        does where the tensors lie, nor a weight that the mask does not keep.
        """
        tensors, layout = self._packed()
        return _digest(tensors, layout)

    def save(self, path: str | Path) -> None:
        """Write to `path` in one step; whatever was there stays whole until then."""
        tensors, layout = self._packed()
        header = {
            "format": _FORMAT,
            "digest": _digest(tensors, layout),
            "layout": layout,
            "meta": self.meta,
        }
        # One metadata key: safetensors writes several in no fixed order, and equal tickets must
        # be equal files.
        with atomic_write(Path(path)) as temporary:
            save_file(tensors, temporary, {"ticket": sealed(json.dumps(header))})

    def _packed(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What is stored: only the weights that the mask keeps, on the CPU, and what goes where."""
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
        layout = {"order": list(self.weights), "prunable": list(self.mask), "shapes": shapes}
        return tensors, layout

    @classmethod
    def load(cls, path: str | Path) -> "Ticket":
        """Read a ticket onto the CPU.

        Raises MissingInputError if there is none, TicketError (naming the file) if the file is
        truncated, is something else, or holds other tensors than those that were saved.
        """
        with _opened(path) as (file, header):
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if _digest(tensors, header["layout"]) != header["digest"]:
                raise TicketError(Path(path), "damaged: its tensors are not those that were saved")
            return cls(*_unpacked(tensors, header["layout"]), header["meta"], str(path))


def read_meta(path: str | Path) -> dict[str, Any]:
    """The `meta` of the ticket in a file, without its tensors. Raises what `Ticket.load` does."""
    with _opened(path) as (_, header):
        meta: dict[str, Any] = header["meta"]
        return meta


def read_digest(path: str | Path) -> str:
    """The `digest` of the ticket in a file, as its header has it: the tensors are not read.

    Raises what `Ticket.load` does.
    """
    with _opened(path) as (_, header):
        digest: str = header["digest"]
        return digest


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A ticket's file and its header. Faults met while it is open are one clear error."""
    if not Path(path).is_file():
        raise MissingInputError(f"{path}: no such ticket; run its stage first")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("ticket", "")
            header = unsealed(text, "format", "digest", "layout", "meta")
            if header["format"] != _FORMAT:
                raise ValueError(f"it is of format {header['format']!r}, not {_FORMAT!r}")
            if not isinstance(header["meta"], dict) or not isinstance(header["digest"], str):
                raise TypeError("its header has no meta or no digest")
            yield file, header
    except TicketError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TicketError(Path(path), f"not a whole ticket ({reason})") from error


def _digest(tensors: Mapping[str, Tensor], layout: Mapping[str, Any]) -> str:
    return tensors_digest(json.dumps(layout, sort_keys=True), tensors)[:_DIGITS]


def _unpacked(
    tensors: Mapping[str, Tensor], layout: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Weights, mask and buffers. Raises KeyError, TypeError or ValueError where they do not fit."""
    weights: dict[str, Tensor] = {}
    mask: dict[str, Tensor] = {}
    for name in layout["order"]:
        if name not in layout["shapes"]:
            weights[name] = tensors[f"weight:{name}"]
            if name in layout["prunable"]:
                mask[name] = torch.ones_like(weights[name], dtype=torch.bool)
            continue
        shape, bits = layout["shapes"][name], tensors[f"mask:{name}"].numpy()
        # Before memory is asked for: a shape may say anything.
        if min(shape, default=1) < 1 or math.ceil(math.prod(shape) / 8) != len(bits):
            raise ValueError(f"{name} of shape {shape} has a mask of {len(bits)} bytes")
        kept = np.unpackbits(bits, count=math.prod(shape)).astype(bool)
        mask[name] = torch.from_numpy(kept).view(shape)
        values = tensors[f"kept:{name}"]
        weights[name] = torch.zeros(shape, dtype=values.dtype)
        weights[name][mask[name]] = values
    # The mask comes in the order in which its maker listed it: ties in magnitude go by position.
    mask = {name: mask[name] for name in layout["prunable"]}
    buffers = {k.removeprefix("buffer:"): t for k, t in tensors.items() if k.startswith("buffer:")}
    return weights, mask, buffers
