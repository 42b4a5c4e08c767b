"""A checkpoint's file, whatever wrote it: the format shows in its first bytes."""

from pathlib import Path

import torch
from torch import Tensor

from lp_core.checkpoints import nested, openlth, safetensors_file, torch_file
from lp_core.checkpoints.checkpoint import Checkpoint
from lp_core.checkpoints.dense import require_dense
from lp_core.checkpoints.masked import split_masks
from lp_core.checkpoints.names import without_marks
from lp_core.errors import InputError, MissingInputError

_ZIP, _PICKLE, _JSON = b"PK\x03\x04", b"\x80", b"{"
_LENGTH = 8  # bytes before a safetensors header
_MOST_DENSE = 2**28  # numbers of a sparse tensor, whose file can be of any size


def read(path: str | Path, key: str | None = None) -> Checkpoint:
    """A checkpoint of one network: `torch.save`'s state_dict, alone or among other things,
    safetensors, or a ticket of this library; with masks as `torch.nn.utils.prune` or OpenLTH write
    them, or with none.

    key: where a file holds several networks, such as `state_dict_ema`, which of them. Raises
    MissingInputError, and InputError, naming the file, for anything that is no such checkpoint.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "safetensors" and (ticket := safetensors_file.ticket(path)):
        return ticket
    try:
        state, masks = split_masks(without_marks(_tensors(path, kind, key)))
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    beside = openlth.mask_beside(path)
    if beside and masks:
        raise InputError(f"{path}: has masks of its own, but {beside} lies beside it; remove one")
    return Checkpoint(path, state, openlth.read_masks(beside) if beside else masks)


def _tensors(path: Path, kind: str, key: str | None) -> dict[str, Tensor]:
    content = safetensors_file.load(path) if kind == "safetensors" else torch_file.load(path)
    state = {name: _dense(tensor) for name, tensor in nested.state_dict(content, key).items()}
    require_dense(state)
    return state


def _dense(tensor: Tensor) -> Tensor:
    """What PyTorch's sparse layouts leave out is zero, as what was pruned is."""
    sparse = tensor.layout != torch.strided and not tensor.is_meta
    return tensor.to_dense() if sparse and tensor.numel() < _MOST_DENSE else tensor


def _kind(path: Path) -> str:
    if not path.is_file():
        raise MissingInputError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            head = file.read(_LENGTH + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    # First, since the length of a header can begin as a pickle does: that of 1 in 32 files does.
    if head[_LENGTH:] == _JSON:
        return "safetensors"
    if head.startswith((_ZIP, _PICKLE)):
        return "torch"
    raise InputError(
        f"{path}: neither a file of torch.save nor of safetensors; save model.state_dict() as one"
    )
