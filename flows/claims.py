"""Which GPUs a worker process has to itself, so that two workers of one machine share none.

A worker claims a GPU by an abstract socket of its name, which the system lets go of when the worker
ends, however it ends. Such a name belongs to the machine (to its network namespace) and to no file
system: jobs of Slurm may each have a TMPDIR, a /tmp and a /dev/shm of their own, other users may
not write to a file, and what lies in /tmp for long is cleared away.
"""

from __future__ import annotations

import errno
import math
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flows.resources import visible_gpus

_LONGEST = 107  # bytes of a socket's name
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


# For as long as the process lives.
_claimed: ClaimedGpus | None = None
_claims: list[socket.socket] = []
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
    identities = _identities()
    mine: list[str] = []
    others = 0
    for name in names:
        if most is not None and len(mine) >= most:
            break
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0lottery-pools {_identity(name, identities)}"[:_LONGEST])
        except OSError as error:
            claim.close()
            if error.errno == errno.EADDRINUSE:
                others += 1
                continue  # else a system without such names, on which nobody can claim
        _claims.append(claim)
        mine.append(name)
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
