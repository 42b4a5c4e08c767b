"""Where the state of an unfinished training lies, and when it may go.

Not when the training is over: DVC has yet to record the ticket, and what stops it (its lock, a
full disk, a kill) would cost the whole training. The first stage that reads the ticket drops the
state, since that stage starts only when the ticket is recorded.
"""

import shutil
import time
from collections.abc import Collection
from pathlib import Path

from tasks.kit import paths

_MONTH = 30 * 24 * 3600


def stage_name(stage: str, *item: str | int) -> str:
    """A stage of `item` (variant, seed, …) as DVC names it, such as `pretrain@base-0`."""
    return f"{stage}@{'-'.join(map(str, item))}"


def state(stage: str, key: str) -> Path:
    """File of a stage's state. key: of everything that shapes the run."""
    return paths.RESUME / f"{stage}.{key}.safetensors"


def beside(file: Path) -> Path:
    """Folder of what else an unfinished training keeps, beside its state."""
    return file.with_suffix(".kept")


def finish(file: Path) -> None:
    """Mark the state as that of a training whose ticket is written (one of no epochs has none)."""
    if file.exists():
        file.with_suffix(".done").touch()


def forget(stage: str) -> None:
    """Drop the states of a finished training whose ticket is recorded."""
    for file in paths.RESUME.glob(f"{stage}.*.safetensors"):
        if file.with_suffix(".done").exists():
            drop(file)


def forget_each(stages: Collection[str]) -> None:
    """The same of many stages, whose names are given in full."""
    for done in list(paths.RESUME.glob("*.done")):
        if done.name.rsplit(".", 2)[0] in stages:
            drop(done.with_suffix(".safetensors"))


def forget_old() -> None:
    """Drop states a month after their last epoch.

    Until then they wait for whoever goes back to the settings that they are of.
    """
    for each in list(paths.RESUME.glob("*")):
        file = each.with_suffix(".safetensors")  # each may be what lies beside it
        ages = [time.time() - path.stat().st_mtime for path in (each, file) if path.exists()]
        if ages and min(ages) > _MONTH:
            drop(file)


def drop(file: Path) -> None:
    """Remove a state and all that belongs to it."""
    file.unlink(missing_ok=True)
    file.with_suffix(".done").unlink(missing_ok=True)
    shutil.rmtree(beside(file), ignore_errors=True)
