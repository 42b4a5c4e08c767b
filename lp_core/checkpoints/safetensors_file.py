"""Files of safetensors: tensors by name, and the tickets of this library."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from lp_core.checkpoints.checkpoint import Checkpoint
from lp_core.errors import InputError, one_line
from lp_core.tickets import Ticket


def load(path: Path) -> dict[str, Tensor]:
    """All tensors of a file. Raises InputError, naming it, where it is not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: not a whole safetensors file ({reason})") from error


def ticket(path: Path) -> Checkpoint | None:
    """The ticket that a file holds, of this or another experiment; None where it holds none."""
    try:
        with safe_open(path, framework="pt") as file:
            if "ticket" not in (file.metadata() or {}):
                return None
    except (SafetensorError, OSError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: not a whole safetensors file ({reason})") from error
    found = Ticket.load(path)
    return Checkpoint(path, found.weights | found.buffers, found.mask)
