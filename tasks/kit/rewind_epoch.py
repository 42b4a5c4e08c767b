"""The epoch of a run's rewind point: fixed in params.yaml, or found by the search for stability."""

import json

from lp_core.checksums import sealed, unsealed
from lp_core.errors import DamagedError, MissingInputError
from lp_core.files import atomic_write
from lp_core.training.spec import RewindSpec
from tasks.kit import paths

_STABLE = "stable"


def rewind_epoch(spec: RewindSpec, variant: str, seed: int, epochs: int) -> int:
    """That of the section rewind; of mode `stable`, what the search has left. epochs: of a whole
    training.

    Raises MissingInputError or DamagedError where that is not there, is something else or of
    another run, or leaves no epoch.
    """
    if spec.mode != _STABLE:
        return spec.epochs
    path = paths.rewind_point(_STABLE, variant, seed)
    if not path.is_file():
        raise MissingInputError(f"{path}: no such rewind point; run the stage stable_rewind first")
    try:
        content = unsealed(path.read_text(), "variant", "seed", "epoch")
        epoch = content["epoch"]
        if type(epoch) is not int or epoch < 0:
            raise ValueError(f"epoch is {epoch}")
    except (ValueError, TypeError) as error:
        raise DamagedError(path, f"no epoch to rewind to ({error})") from error
    if (content["variant"], content["seed"]) != (variant, seed):
        told = f"variant {content['variant']}, seed {content['seed']}"
        raise DamagedError(path, f"another run's epoch lies in its place ({told})")
    if epoch >= epochs:
        raise DamagedError(path, f"its epoch is {epoch}, but train.epochs is {epochs}")
    return epoch


def write_rewind_epoch(variant: str, seed: int, epoch: int) -> None:
    """Leave what mode `stable` reads."""
    with atomic_write(paths.rewind_point(_STABLE, variant, seed)) as temporary:
        content = {"variant": variant, "seed": seed, "epoch": epoch}
        temporary.write_text(sealed(json.dumps(content) + "\n"))
