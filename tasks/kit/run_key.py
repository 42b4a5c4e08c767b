"""What tells one training run from another, so that none goes on from the state of another."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lp_core.compute import Compute


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
