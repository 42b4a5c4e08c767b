"""Has DVC begin soon after another DVC process lets go of the repository.

A DVC process that finds the repository locked tries again after half a second (with
`core.hardlink_lock`, after up to two). A stage takes the lock twice, for a tenth of a second each
time; with eight stages side by side, most of a short stage went into such waits. Waiting inside the
kernel would be better still on a local disk, but over NFS it is the client that tries again, after
up to half a minute.
"""

from __future__ import annotations

import random
import time
from typing import Any

SECONDS = 0.05  # from one try to the next, on average


def install() -> None:
    """From now on, DVC waits for its lock this way in this process and in those forked from it."""
    from dvc.lock import HardlinkLock, Lock, LockError

    usual = Lock.lock

    def lock(self: Any) -> None:
        while getattr(self, "_wait", False):
            try:
                self._do_lock()
                return
            except LockError:
                pause()
        usual(self)

    Lock.lock = lock
    HardlinkLock._sleep = pause


def pause(_lock: Any = None) -> None:
    time.sleep(random.uniform(0, 2 * SECONDS))
