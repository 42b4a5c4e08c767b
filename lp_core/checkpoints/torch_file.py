"""Files of `torch.save`: loaded with `weights_only=True`, never otherwise.

Anything else in a pickle may run code while it is read.
"""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from lp_core.errors import InputError

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def load(path: Path) -> Any:
    """What `torch.save` wrote: tensors, and mappings, lists and plain values around them.

    Raises InputError, naming the file, where there is more in it, or it is not whole.
    """
    try:
        # Opened here: torch.load goes by the name of a file, and takes a zip for safetensors.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that it does not know
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = _GLOBAL.search(str(error))
        if found is None:
            # Not PyTorch's own words, which advise to run the pickle.
            raise InputError(f"{path}: damaged, or a pickle that is not torch.save's") from error
        raise InputError(
            f"{path}: beside tensors it holds a pickled {found[1]}, which can run any code when it "
            "is read; where you trust the file, load it with weights_only=False and save its "
            "state_dict alone"
        ) from error
    except RuntimeError as error:
        if "TorchScript" in str(error):
            raise InputError(
                f"{path}: a TorchScript archive, which is code; save the tensors alone: "
                "torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE)"
            ) from error
        raise InputError(f"{path}: not a whole checkpoint ({_first_line(error)})") from error
    except Exception as error:  # whatever a damaged pickle makes its reader do
        raise InputError(f"{path}: not a whole checkpoint ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    """Or the first sentence of it."""
    lines = str(error).strip().splitlines()
    return lines[0].partition(". ")[0].rstrip(".") if lines else type(error).__name__
