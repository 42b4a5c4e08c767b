"""The epoch of a run's rewind point: fixed in params.yaml, or found by the search for stability."""

import json

from lp_core.errors import DamagedError, MissingInputError
from lp_core.files import atomic_write
from lp_core.training.spec import RewindSpec
from tasks.kit import paths

_STABLE = "stable"


def rewind_epoch(spec: RewindSpec, variant: str, seed: int) -> int:
    """That of the section rewind; of mode `stable`, what the search has left.

    Raises MissingInputError or DamagedError where that is not there or is something else.
    """
    if spec.mode != _STABLE:
        return spec.epochs
    path = paths.rewind_point(_STABLE, variant, seed)
    if not path.is_file():
        raise MissingInputError(f"{path}: no such rewind point; run the stage stable_rewind first")
    try:
        epoch = json.loads(path.read_bytes())["epoch"]
        if type(epoch) is not int or epoch < 0:
            raise ValueError(f"epoch is {epoch}")
        return epoch
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(path, f"no epoch to rewind to ({error})") from error


def write_rewind_epoch(variant: str, seed: int, epoch: int) -> None:
    """Leave what mode `stable` reads."""
    with atomic_write(paths.rewind_point(_STABLE, variant, seed)) as temporary:
        temporary.write_text(json.dumps({"epoch": epoch}) + "\n")
