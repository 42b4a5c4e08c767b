"""The machine and versions that a stage ran on, and how long it took: where a number comes from."""

import platform
import time
from pathlib import Path
from typing import Any

import torch

from lp_core.compute import Compute

_STARTED = time.monotonic()


def provenance(
    stage: str, item: str | int, compute: Compute, trained: float = 0.0
) -> dict[str, Any]:
    """A row of the table `stages`, written with a stage's results.

    item: what the stage is of, beside its variant and seed: a ticket, a method. trained: seconds
    of all the epochs of a training. The row's seconds are those of the process that finished the
    stage, since its code was loaded; or `trained`, where earlier processes, which were killed, ran
    so many of the epochs that this is more. Their own time beside those epochs is not known.
    """
    gpu = compute.device.type == "cuda"
    return {
        "stage": stage,
        "item": str(item),
        "seconds": max(time.monotonic() - _STARTED, trained),
        "device": torch.cuda.get_device_name(compute.device) if gpu else _cpu(),
        "precision": compute.precision,
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
