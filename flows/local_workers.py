"""Dask workers of this machine that live as long as the flow."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RESTARTS = 10
LOOK_SECONDS = 1.0

_WORKER = Path(__file__).with_name("temporary_worker.py")


@contextmanager
def local_workers(scheduler: str, count: int, gpus: int) -> Iterator[None]:
    """`count` worker processes of one thread, which share `gpus` GPUs evenly; ended on leaving.

    One that dies is replaced, RESTARTS times in all.
    """
    share = max(1, gpus // count) if gpus else 0
    workers = [_start(scheduler, share) for _ in range(count)]
    over = threading.Event()
    watch = threading.Thread(target=_replace_dead, args=(workers, scheduler, share, over))
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in workers:
            worker.wait()


def _replace_dead(
    workers: list[subprocess.Popen[bytes]], scheduler: str, gpus: int, over: threading.Event
) -> None:
    restarts = 0
    while not over.wait(LOOK_SECONDS):
        for number, worker in enumerate(workers):
            if worker.poll() is not None and restarts < RESTARTS:
                restarts += 1
                workers[number] = _start(scheduler, gpus)


def _start(scheduler: str, gpus: int) -> subprocess.Popen[bytes]:
    options = [
        *("--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--no-dashboard"),
        *("--host", "127.0.0.1", "--resources", f"GPU={gpus}", "--death-timeout", "60"),
    ]
    return subprocess.Popen(
        # -P: the modules beside the script must not pass for others' of the same name.
        [sys.executable, "-P", str(_WORKER), scheduler, *options],
        env={**os.environ, "DASK_LOGGING__DISTRIBUTED": "critical"},
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal reaches the flow alone
    )
