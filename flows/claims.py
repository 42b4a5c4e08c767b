"""Which GPUs a worker process has to itself, so that two workers of one machine share none.

A worker claims a GPU by a lock on a file in the machine's temporary folder, which the system lets
go of when the worker ends, however it ends.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from flows.resources import visible_gpus

_FOLDER = "lottery-pools-gpus"
_LISTED = re.compile(r"^GPU (\d+): .*\(UUID: ([^)]+)\)", re.MULTILINE)


class ClaimedGpus:
    """GPUs that this process has to itself, and deals out to stages.

    others: how many more it would have claimed that other workers have.
    """

    def __init__(self, names: list[str], most: float | None = None) -> None:
        self.names = list(names)
        self.most = most
        self.others = 0
        self._free = list(names)
        self._freed = threading.Condition()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.names)

    def add(self, names: list[str]) -> None:
        """Has more of them from now on."""
        with self._freed:
            self.names += names
            self._free = sorted(self._free + names)
            self._freed.notify_all()

    @contextmanager
    def hold(self, count: int) -> Iterator[dict[str, str]]:
        """Waits for `count` GPUs that nobody holds; gives the variables that restrict a stage to
        them."""
        with self._freed:
            self._freed.wait_for(lambda: len(self._free) >= count)
            held, self._free = self._free[:count], self._free[count:]
        try:
            yield {"CUDA_VISIBLE_DEVICES": ",".join(held)}
        finally:
            with self._freed:
                self._free = sorted(self._free + held)
                self._freed.notify_all()


_claimed: ClaimedGpus | None = None  # for as long as the process lives
_claiming = threading.Lock()


def claimed_gpus(most: float | None) -> ClaimedGpus:
    """The visible GPUs that no other worker has claimed, `most` of them if that is given.

    How many there may be is settled when this is first called; later calls claim what others have
    let go of since.
    """
    global _claimed
    with _claiming:
        if _claimed is None:
            _claimed = ClaimedGpus([], most)
        names = [name for name in visible_gpus() if name not in _claimed.names]
        left = None if _claimed.most is None else max(0.0, _claimed.most - _claimed.count)
        mine, _claimed.others = _claim(names, left)
        _claimed.add(mine)
        return _claimed


def _claim(names: list[str], most: float | None) -> tuple[list[str], int]:
    """Those that are claimed now, and how many others have of those that were wanted."""
    if not names or most == 0:
        return [], 0
    folder = Path(tempfile.gettempdir(), _FOLDER)
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)  # all users of the machine claim here
    identities = _identities()
    mine: list[str] = []
    others = 0
    for name in names:
        if most is not None and len(mine) >= most:
            break
        # Its name is all that counts, so that whoever may not write to it can lock it.
        path = folder / re.sub(r"[^\w-]", "_", _identity(name, identities))
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o444))
        file = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine.append(name)
        except BlockingIOError:
            os.close(file)
            others += 1
    return mine, others if most is None else min(others, math.ceil(most) - len(mine))


def _identity(name: str, identities: Mapping[str, str]) -> str:
    """The UUID of the GPU of this name: its index, or as much of the UUID as tells it from others,
    which is enough for CUDA."""
    if name in identities:
        return identities[name]
    named = [uuid for uuid in identities.values() if uuid.startswith(name)]
    return named[0] if len(named) == 1 else name


def _identities() -> dict[str, str]:
    """By index the UUID, by which a GPU may be named as well."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(_LISTED.findall(listed))
