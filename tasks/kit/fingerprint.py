"""The key under which a killed run's state is kept: everything that shapes the run.

Two runs with one key give the same bytes, so going on from a state under that key is safe; after
any change (a parameter, an input, the code, PyTorch, the machine) the key is another one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lp_core.compute import Compute
from tasks.kit.guard import loaded


def fingerprint(settings: Iterable[Any], inputs: Iterable[Path], compute: Compute) -> str:
    """16 hex digits. settings: dataclasses or plain values. inputs: files, or folders of files."""
    digest = hashlib.sha256()
    for value in settings:
        plain = asdict(value) if hasattr(value, "__dataclass_fields__") else value
        digest.update(json.dumps(plain, sort_keys=True).encode() + b"\n")
    for path in _files(inputs):
        digest.update(f"\n{path.name} ".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for path, text in loaded().items():  # the code that will run
        digest.update(f"\n{path.name} ".encode() + hashlib.sha256(text).digest())
    device = (
        torch.cuda.get_device_name(compute.device)
        if compute.device.type == "cuda"
        else f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} threads"
    )
    digest.update(f"{torch.__version__} {device} {compute.precision}".encode())
    return digest.hexdigest()[:16]


def _files(inputs: Iterable[Path]) -> list[Path]:
    return [
        file
        for path in inputs
        for file in (sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path])
    ]
