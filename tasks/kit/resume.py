"""Where the state of an unfinished training lies, and when it may go.

Not when the training is over: DVC has yet to record the ticket, and what stops it (its lock, a
full disk, a kill) would cost the whole training. The first stage that reads the ticket drops the
state, since that stage starts only when the ticket is recorded.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lp_core.compute import Compute
from tasks.kit import paths

_MONTH = 30 * 24 * 3600


def stage_name(stage: str, *item: str | int) -> str:
    """A stage of `item` (variant, seed, …) as DVC names it, such as `pretrain@base-0`."""
    return f"{stage}@{'-'.join(map(str, item))}"


def state(stage: str, key: str) -> Path:
    """File of a stage's state. key: of everything that shapes the run (`run_key`)."""
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


def run_key(settings: Iterable[Any], inputs: Iterable[Path], compute: Compute) -> str:
    """16 hex digits of everything that shapes a training run.

    Two runs with one key give the same bytes, so going on from a state under that key is safe;
    after any change (a parameter, an input, the code, PyTorch, the machine) the key is another one.
    settings: dataclasses or plain values. inputs: files.
    """
    digest = hashlib.sha256()
    for value in settings:
        plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        digest.update(json.dumps(plain, sort_keys=True).encode() + b"\n")
    for path in inputs:
        digest.update(f"\n{path.name} ".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    device = (
        torch.cuda.get_device_name(compute.device)
        if compute.device.type == "cuda"
        else f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} threads"
    )
    digest.update(f"{torch.__version__} {device} {compute.precision}".encode())
    return digest.hexdigest()[:16]


def mask_digest(masks: Mapping[str, Tensor]) -> str:
    """SHA-256 of the masks and their names, hexadecimal."""
    digest = hashlib.sha256()
    for name, kept in masks.items():
        digest.update(name.encode() + np.packbits(kept.cpu().numpy()).tobytes())
    return digest.hexdigest()
