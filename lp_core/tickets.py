"""A ticket: one trained sparse network, as it is kept in memory and on disk.

On disk a ticket holds only the weights that its mask keeps, and the mask as bits, so that a whole
trail of tickets (Lottery Pools, Algorithm 1) costs about a quarter of its dense checkpoints.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lp_core.checksums import sealed, unsealed
from lp_core.errors import DamagedError, InputError, MissingInputError, one_line
from lp_core.files import atomic_write
from lp_core.packing import digest, packed, unpacked

_FORMAT = "lottery-pools ticket 3"
_ZIP = b"PK\x03\x04"  # torch.save's


class TicketError(DamagedError):
    """A file that should hold a ticket does not."""


@dataclass(repr=False)
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

    def __repr__(self) -> str:
        layers = f"{self.kept:,} of {self.prunable:,} weights in {len(self.mask)} layers"
        return f"<Ticket {self.name}: {layers}>"

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

    @classmethod
    def from_state_dict(
        cls,
        state: Mapping[str, Tensor],
        mask: Mapping[str, Tensor] | None = None,
        network: nn.Module | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> "Ticket":
        """A ticket of a network's state_dict; copies, on the CPU.

        state: as `network.state_dict()` gives it, also of a network that is under
        `torch.nn.utils.prune` (`conv1.weight_orig` and `conv1.weight_mask`).
        mask: for each weight that may be pruned, a tensor of its shape, 1 (or true) where it is
        kept; what it does not keep becomes zero. None: the masks of `torch.nn.utils.prune` where
        the state has them. Otherwise what is zero is pruned, in all convolutions and, where a
        linear layer has a zero or there is no convolution, in all linear layers.
        network: of the same architecture, to compare names, shapes and types with; it also tells
        weights from buffers, and convolutions from the rest, which names and shapes must tell
        without it.
        meta: what JSON can hold.

        Raises InputError, in one line, where the state is of another network, has no tensors, or
        values that are not finite; for masks of other names, shapes or values, and for one that
        keeps nothing.
        """
        ticket: Ticket = _interchange().from_state_dict(state, mask, network, meta)
        return ticket

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of all weights, with zeros where the mask has none, and buffers, by name.

        A module's parameters come in the network's order and before its buffers, as in PyTorch's.
        `load_state_dict` takes it; for a network that ties weights, or has buffers that it does not
        list (persistent=False), `load_into` does.
        """
        state: dict[str, Tensor] = _interchange().state_dict(self)
        return state

    def network(self) -> nn.Module:
        """The network that `meta["network"]` describes, with these weights, in eval mode, on the
        CPU.

        It maps images, float32 B×channels×height×width, to logits B×classes. Pixels from 0 to 255
        become (pixels / 255 − mean) / std, channel by channel, with the `mean` and `std` of
        `meta["network"]`, which also has the names of the `classes`.

        Raises InputError where the meta does not say of which network the ticket is, and where that
        cannot be built: the module of an own one must be importable.
        """
        network: nn.Module = _interchange().network(self)
        return network

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
        return digest(*packed(self.weights, self.mask, self.buffers))

    def save(self, path: str | Path) -> None:
        """Write to `path` in one step; whatever was there stays whole until then."""
        tensors, layout = packed(self.weights, self.mask, self.buffers)
        header = {
            "format": _FORMAT,
            "digest": digest(tensors, layout),
            "layout": layout,
            "meta": self.meta,
        }
        # One metadata key: safetensors writes several in no fixed order, and equal tickets must
        # be equal files.
        with atomic_write(Path(path)) as temporary:
            save_file(tensors, temporary, {"ticket": sealed(json.dumps(header))})

    @classmethod
    def load(cls, path: str | Path) -> "Ticket":
        """Read a ticket onto the CPU.

        Raises MissingInputError if there is none, TicketError (naming the file) if the file is
        truncated, is something else, or holds other tensors than those that were saved. Weights
        that another program saved are an InputError that says how to make a ticket of them.
        """
        with _opened(path) as (file, header):
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if digest(tensors, header["layout"]) != header["digest"]:
                raise TicketError(Path(path), "damaged: its tensors are not those that were saved")
            return cls(*unpacked(tensors, header["layout"]), header["meta"], str(path))


def _interchange() -> Any:
    # By name, so that it is no part of the code of a stage that does not ask for it.
    return importlib.import_module("lp_core.interchange")


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
        found: str = header["digest"]
        return found


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A ticket's file and its header. Faults met while it is open are one clear error."""
    if not Path(path).is_file():
        raise MissingInputError(f"{path}: no such ticket; run its stage first")
    # Who takes a checkpoint for a ticket must not be told to remove it.
    others = InputError(f"{path}: weights, but no ticket; make one with Ticket.from_state_dict")
    with open(path, "rb") as started:
        if started.read(len(_ZIP)) == _ZIP:
            raise others
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            if told.keys() <= {"format"}:  # what safetensors and transformers write
                raise others
            text = told.get("ticket", "")
            header = unsealed(text, "format", "digest", "layout", "meta")
            if header["format"] != _FORMAT:
                raise ValueError(f"it is of format {header['format']!r}, not {_FORMAT!r}")
            if not isinstance(header["meta"], dict) or not isinstance(header["digest"], str):
                raise TypeError("its header has no meta or no digest")
            yield file, header
    except InputError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TicketError(Path(path), f"not a whole ticket ({one_line(error)})") from error
