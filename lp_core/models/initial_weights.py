"""Initial weights that come from a file: part of the initialisation, in place of drawn ones."""

from pathlib import Path

import torch
from torch import nn

from lp_core.checkpoints.fitting import named
from lp_core.checkpoints.reading import read
from lp_core.errors import InputError


@torch.no_grad()
def load_initial(model: nn.Module, path: str | Path, name: str) -> None:
    """Copy a file's weights and buffers into a network.

    path: of any format that `lp_core.checkpoints.read` knows. name: what errors call the network.
    Raises MissingInputError where there is no such file, InputError where it is something else, of
    another network, or of a pruned one.
    """
    checkpoint = named(read(path), model)
    if not all(bool(mask.all()) for mask in checkpoint.masks.values()):
        raise InputError(f"{path}: has masks; initial weights are dense, and tickets are imported")
    state, wanted = checkpoint.state, model.state_dict()
    differing = set(state) ^ set(wanted)
    differing |= {key for key in set(state) & set(wanted) if state[key].shape != wanted[key].shape}
    if differing:
        raise InputError(
            f"{path}: of another network than {name}: {len(differing)} tensors differ, such as "
            f"{min(differing)}; give weights of this one"
        )
    for key, tensor in state.items():
        if tensor.dtype != wanted[key].dtype or not bool(tensor.isfinite().all()):
            odd = "NaN or infinite" if tensor.dtype == wanted[key].dtype else str(tensor.dtype)
            raise InputError(f"{path}: {key} is {odd}; give finite numbers of {wanted[key].dtype}")
    model.load_state_dict(state)
