"""Initial weights that come from a file: part of the initialisation, in place of drawn ones."""

from pathlib import Path

import torch
from torch import Tensor, nn

from lp_core.errors import InputError, MissingInputError


@torch.no_grad()
def load_initial(model: nn.Module, path: str | Path, name: str) -> None:
    """Copy a file's weights and buffers into a network.

    path: a state dict as `torch.save` writes it, or safetensors. name: what errors call the
    network. Raises MissingInputError where there is no such file, InputError where it is something
    else, or of another network.
    """
    state = _read(Path(path))
    wanted = model.state_dict()
    differing = set(state) ^ set(wanted)
    differing |= {key for key in set(state) & set(wanted) if state[key].shape != wanted[key].shape}
    if differing:
        raise InputError(
            f"{path}: of another network than {name}: {len(differing)} tensors differ, such as "
            f"{min(differing)}; give weights of this one"
        )
    model.load_state_dict(state)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file; give weights a state dict, or null")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as weights ({reason})") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{path}: no state dict; save model.state_dict()")
    return state
