"""Runs a command for as long as standard input stays open: `python leash.py GRACE COMMAND…`.

The flow holds the other end of the pipe. When it closes it, or dies by whatever means, SIGKILL
included, all that the command has started is asked to end, and killed GRACE seconds later: no
training outlives the flow that started it. The command itself, `dvc`, then sees its stage fail,
releases its locks and exits. The file imports nothing of the project, so that as a script it
starts in milliseconds; `flows.warm` uses its class.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_PR_SET_CHILD_SUBREAPER = 36


class Leash:
    """Holds a child process and everything that descends from it.

    One thread does everything, because `flows.warm` forks from it. `on_input` and `on_exit` may be
    added to: file descriptors to watch, and child processes whose exit status somebody wants.
    """

    def __init__(self, grace: float) -> None:
        """grace: seconds for the descendants to end by themselves, once they are asked to."""
        self._grace = grace
        self.command = 0  # its PID and its process group
        self._status: int | None = None
        self._released = False
        self.on_input: dict[int, Callable[[], None]] = {0: self._see_release}
        self.on_exit: dict[int, Callable[[int], None]] = {}
        self._wakeup, write_end = os.pipe()
        self.private = [self._wakeup, write_end]  # what no child process may keep open
        os.set_blocking(self._wakeup, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A container stop may ask everyone to end at once; whoever holds others ends them first.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._release)
        adopt_orphans()

    def hold(self, command: int) -> int:
        """Waits for process `command` (a child that leads its own group) and gives its status.

        Negative where a signal ended it. Nothing of its process group is left afterwards.
        """
        self.command = command
        self.on_exit[command] = self._see_exit
        while self._status is None and not self._released:
            self._step(None)
        if self._released:
            self._end()
        # Something left in the background would hold the flow's end of the output open for ever.
        for pid in self.on_exit:
            kill_with_descendants(pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(command, signal.SIGKILL)
        while self.on_exit:
            self._step(None)
        assert self._status is not None
        return self._status

    def is_released(self) -> bool:
        """Whether standard input has been closed."""
        self._step(0)
        return self._released

    def _see_release(self) -> None:
        if not os.read(0, 4096):  # nobody writes; what counts is the end
            self._release()
            del self.on_input[0]

    def _release(self, *_: object) -> None:
        self._released = True  # the wakeup descriptor ends the wait

    def _see_exit(self, status: int) -> None:
        self._status = status

    def _step(self, seconds: float | None) -> None:
        """Handles what there is to handle, after waiting for it for up to `seconds`."""
        poll = select.poll()
        for descriptor in (self._wakeup, *self.on_input):
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000):
            if descriptor == self._wakeup:
                os.read(self._wakeup, 4096)
            elif descriptor in self.on_input:
                self.on_input[descriptor]()
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                self.on_exit.pop(pid, _ignore)(os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        # SIGTERM would kill DVC where it stands: its locks would stay, and dvc.lock might be half
        # written. Left alone, it also keeps what a stage that has just finished has made.
        tree: list[psutil.Process] = []
        if not self._have_ended(tree, self._grace):
            _kill(tree)
            if not self._have_ended(tree, self._grace / 4):
                # DVC is busy by itself. As after Ctrl-C, it releases its locks.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.command, signal.SIGINT)
                self._have_ended(tree, self._grace / 4)
        _kill(tree)

    def _have_ended(self, tree: list[psutil.Process], seconds: float) -> bool:
        """Waits for the command and its descendants, which are asked to end as they appear.

        `tree`: the descendants known so far; others are added. False if anything is still there
        after `seconds`.
        """
        import psutil

        deadline = time.monotonic() + seconds
        while True:
            # A launcher such as torchrun puts its workers into sessions of their own, which
            # signals to the group do not reach. Parents come first: a shell whose command has died
            # would go on to the next.
            for child in psutil.Process().children(recursive=True):
                if child.pid != self.command and child not in tree:
                    tree.append(child)
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.terminate()
            if self._status is not None and not any(map(_is_alive, tree)):
                return True
            if time.monotonic() > deadline:
                return False
            self._step(0.05)


def kill_with_descendants(pid: int) -> None:
    """Kills process `pid` and everything that it started."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        _kill([process, *process.children(recursive=True)])


def die_of(number: int) -> None:
    """Ends this process by a signal."""
    with contextlib.suppress(OSError):  # nobody handles SIGKILL
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _kill(processes: list[psutil.Process]) -> None:
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _ignore(_status: int) -> None:
    pass


def adopt_orphans() -> None:
    """Makes descendants whose parent dies children of this process, where the system can."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> int:
    """Gives the command's exit status; dies of the same signal as the command."""
    grace, command = float(sys.argv[1]), sys.argv[2:]
    leash = Leash(grace)
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        setpgroup=0,  # a group of its own, to be signalled as one
        # What a shell runs in the background ignores SIGINT, and so would the command.
        setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ],
    )
    status = leash.hold(pid)
    if status < 0:
        die_of(-status)
    return status


if __name__ == "__main__":
    sys.exit(main())
