"""Runs a command for as long as standard input stays open: `python leash.py GRACE COMMAND…`.

The flow holds the other end of the pipe. When it closes it, or dies by whatever means, SIGKILL
included, all that the command has started is asked to end, and killed GRACE seconds later: no
training outlives the flow that started it. The command itself, `dvc`, then sees its stage fail,
releases its locks and exits. A script of its own, importing nothing of the project, so that it
starts in milliseconds.
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
    # What a shell runs in the background ignores SIGINT, and so would the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
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
    # SIGTERM would kill DVC where it stands: its locks would stay, and dvc.lock might be half
    # written. Left alone, it also keeps what a stage that has just finished has made.
    tree: list[psutil.Process] = []
    if not _have_ended(process, tree, grace):
        _kill(tree)
        if not _have_ended(process, tree, grace / 4):
            # DVC is busy by itself. As after Ctrl-C, it releases its locks.
            process.send_signal(signal.SIGINT)
            _have_ended(process, tree, grace / 4)
    _kill(tree)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _have_ended(
    process: subprocess.Popen[bytes], tree: list[psutil.Process], seconds: float
) -> bool:
    """Waits for the command and its descendants, which are asked to end as they appear.

    `tree`: the descendants known so far; others are added. False if anything is still there after
    `seconds`.
    """
    import psutil

    deadline = time.monotonic() + seconds
    while True:
        # A launcher such as torchrun puts its workers into sessions of their own, which signals
        # to the group do not reach; and a child whose parent has died belongs to no tree. Parents
        # come first: a shell whose command has died would go on to the next.
        for child in _descendants(process):
            if child not in tree:
                tree.append(child)
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.terminate()
        # The main thread waits for the command, and sets its exit status.
        if process.returncode is not None and not any(map(_is_alive, tree)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def _descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    import psutil

    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(tree: list[psutil.Process]) -> None:
    import psutil

    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _is_alive(process: psutil.Process) -> bool:
    # Where process 1 is no init (in many containers), orphans stay zombies for ever.
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
