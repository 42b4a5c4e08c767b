"""Where the state of an unfinished training lies, and when it may go.

Not when the training is over: DVC has yet to record the ticket, and what stops it (its lock, a
full disk, a kill) would cost the whole training. The next stage that reads the ticket drops the
state, since that stage starts only when the ticket is recorded.
"""

import time
from pathlib import Path

from tasks.kit import paths

_MONTH = 30 * 24 * 3600


def state(stage: str, key: str) -> Path:
    """File of a stage's state. key: everything that shapes the run (`tasks.kit.fingerprint`)."""
    return paths.RESUME / f"{stage}.{key}.safetensors"


def finish(file: Path) -> None:
    """Mark the state as that of a training whose ticket is written (one of no epochs has none)."""
    if file.exists():
        file.with_suffix(".done").touch()


def forget(variant: str, seed: int, reader: str) -> None:
    """Drop the states of finished trainings of this variant and seed, but those of `reader`
    itself, which may be running again because its ticket was never recorded.

    States of other settings stay, for whoever goes back to them; a month after their last epoch
    they go, too.
    """
    stages = (f"pretrain@{variant}-{seed}.", f"imp@{variant}-{seed}-round")
    for file in paths.RESUME.glob("*.safetensors"):
        if not file.name.startswith(stages) or file.name.startswith(f"{reader}."):
            continue
        marker = file.with_suffix(".done")
        if marker.exists() or time.time() - file.stat().st_mtime > _MONTH:
            file.unlink()
            marker.unlink(missing_ok=True)
