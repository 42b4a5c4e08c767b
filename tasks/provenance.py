"""The machine and versions that a stage ran on, and how long it took: where a number comes from."""

import platform
import time
from pathlib import Path
from typing import Any

import torch

from lp_core.compute import Compute

_STARTED = time.monotonic()


def provenance(stage: str, item: str | int, compute: Compute) -> dict[str, Any]:
    """A row of the table `stages`, written with a stage's results.

    item: what the stage is of, beside its variant and seed: a ticket, a method. The seconds are
    those of the process that finished the stage, since its code was loaded.
    """
    gpu = compute.device.type == "cuda"
    return {
        "stage": stage,
        "item": str(item),
        "seconds": time.monotonic() - _STARTED,
        "device": torch.cuda.get_device_name(compute.device) if gpu else _cpu(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
