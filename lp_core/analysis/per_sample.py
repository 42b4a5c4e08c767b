"""Files that hold numbers of each sample of a training split, and say whose they are."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lp_core.checksums import sealed, tensors_digest, unsealed
from lp_core.errors import DamagedError, MissingInputError, one_line
from lp_core.files import atomic_write

_FORMAT = "lottery-pools {} 2"


def save_per_sample(
    path: Path, kind: str, tensors: Mapping[str, Tensor], whose: Mapping[str, str | int | None]
) -> None:
    """Write tensors (on the CPU) in one step; equal ones are equal files.

    kind: what they are, in a word. whose: of which training, for `load_per_sample` to compare.
    """
    form = _FORMAT.format(kind)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    digest = tensors_digest(form, tensors)
    header = json.dumps({"format": form, "digest": digest, "whose": whose})
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {kind: sealed(header)})


def load_per_sample(
    path: Path, kind: str, whose: Mapping[str, str | int | None]
) -> dict[str, Tensor]:
    """Read what `save_per_sample` wrote of this kind and, as far as `whose` says, this training.

    Raises MissingInputError if there is no such file, DamagedError (naming it) if it is truncated,
    is something else or of another training, or holds other numbers than those that were saved.
    """
    if not path.is_file():
        raise MissingInputError(f"{path}: there is no such {kind} file; run its stage first")
    form = _FORMAT.format(kind)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(kind, "")
            header = unsealed(text, "format", "digest", "whose")
            if header["format"] != form:
                raise ValueError(f"it is of format {header['format']!r}, not {form!r}")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        reason = one_line(error)
        raise DamagedError(path, f"no whole {kind} file ({reason})") from error
    if header["digest"] != tensors_digest(form, tensors):
        raise DamagedError(path, "damaged: its numbers are not those that were saved")
    found = {name: header["whose"].get(name) for name in whose}
    if found != whose:
        told = ", ".join(f"{name} {value}" for name, value in found.items())
        raise DamagedError(path, f"another training's {kind} lies in its place ({told})")
    return tensors
