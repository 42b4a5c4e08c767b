"""What stages run on in this process: how many at once, and which GPUs each may use.

GPUs are counted without importing torch, which would take seconds and hold GPU memory.
"""

from __future__ import annotations

import os
import queue
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def visible_gpus() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them (indices or UUIDs)."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        # CUDA ignores everything after the first entry that is no device.
        names: list[str] = []
        for name in (part.strip() for part in chosen.split(",")):
            if not name or name == "-1":
                break
            names.append(name)
        return names
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


class Slots:
    """Slots for stages to run in, each with its share of the GPUs.

    `count` slots (default: one for every `devices` GPUs, or one) share the GPUs evenly, so that
    with eight GPUs and two slots each stage can train on four. A single slot leaves every GPU
    to its stage. Stages that take one GPU each may share it: where there are more slots than
    GPUs, slots double up. Those that train on several (`devices`, as `train.devices`) may not:
    then there are no more slots than can have as many GPUs.
    """

    def __init__(
        self, count: int | None = None, gpus: list[str] | None = None, devices: int = 1
    ) -> None:
        gpus = visible_gpus() if gpus is None else gpus
        most = max(1, len(gpus) // devices)
        self.count = most if count is None else count
        if gpus and devices > 1:
            self.count = min(self.count, most)
        self._free: queue.Queue[dict[str, str]] = queue.Queue()
        for slot in range(self.count):
            first, end = (s * len(gpus) // self.count for s in (slot, slot + 1))
            share = gpus[first : max(first + 1, end)]
            restrict = bool(share) and self.count > 1
            self._free.put({"CUDA_VISIBLE_DEVICES": ",".join(share)} if restrict else {})

    @contextmanager
    def take(self) -> Iterator[dict[str, str]]:
        """Waits for a free slot and holds it; gives the environment variables that go with it."""
        variables = self._free.get()
        try:
            yield variables
        finally:
            self._free.put(variables)
