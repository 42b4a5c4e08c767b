"""Runs a command for as long as standard input stays open: `python leash.py GRACE COMMAND…`.

The flow holds the other end of the pipe. When it closes it, or dies by whatever means, SIGKILL
included, the command's whole process tree is asked to end, and killed GRACE seconds later: no
training outlives the flow that started it. A script of its own, importing nothing of the project,
so that it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_ending = threading.Event()
_ended = threading.Event()


def main() -> int:
    """Gives the command's exit status; dies of the same signal as the command."""
    grace, command = float(sys.argv[1]), sys.argv[2:]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # a group of its own, to be signalled as one
    )
    threading.Thread(target=_watch, args=(process, grace), daemon=True).start()
    status = process.wait()
    if _ending.is_set():
        _ended.wait()
    # Something left in the background would hold the flow's end of the output open for ever.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _watch(process: subprocess.Popen[bytes], grace: float) -> None:
    while os.read(0, 4096):
        pass  # nobody writes; what counts is the end
    _ending.set()
    try:
        _end(process, grace)
    finally:
        _ended.set()


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    import psutil

    # Listed before anything is signalled: a child whose parent has died belongs to no tree. (A
    # launcher such as torchrun puts its workers into sessions of their own, which signals to the
    # group do not reach.)
    try:
        tree = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (left := [p for p in tree if _is_alive(p)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for survivor in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            survivor.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    # Where process 1 is no init (in many containers), orphans stay zombies for ever.
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
