"""Runs commands that can all be ended at once, each on a leash that ends it if the flow dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from flows.interpreter import ForkedCommand, WarmInterpreter

GRACE_SECONDS = 10.0  # and half as much for DVC; Prefect kills a cancelled flow run after 30

_LEASH = Path(__file__).with_name("leash.py")


_Process: TypeAlias = "subprocess.Popen[bytes] | ForkedCommand"


class StoppedError(RuntimeError):
    """The flow is being ended: no further command is started, and running ones were ended."""


class Commands:
    """The commands of one flow run. Threads run them; any thread may end them all.

    After `warm_up`, those that are `python -m …` are forked from an interpreter that has imported
    what most stages import, instead of being started anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[_Process] = set()
        self._parts: set[Commands] = set()
        self._stopped = threading.Event()
        self._interpreter: WarmInterpreter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends what runs, and the warm interpreter."""
        self.stop()
        with self._lock:
            interpreter, self._interpreter = self._interpreter, None
        if interpreter is not None:
            interpreter.close()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def warm_up(self, env: Mapping[str, str]) -> None:
        """Starts the warm interpreter with this environment, where the system can fork one."""
        with self._lock:
            if self._interpreter is None and sys.platform == "linux" and not self.stopped:
                self._interpreter = WarmInterpreter(env)

    @contextmanager
    def part(self) -> Iterator[Commands]:
        """Commands that can be ended apart from the others, and are ended with them."""
        part = Commands()
        with self._lock:
            self._refuse_if_stopped()
            part._lock, part._interpreter = self._lock, self._interpreter
            self._parts.add(part)
        try:
            yield part
        finally:
            with self._lock:
                self._parts.remove(part)

    def pause(self, seconds: float) -> None:
        """Sleeps for `seconds`, or until `stop` is called."""
        self._stopped.wait(seconds)

    def run(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> int:
        """Runs `command`, hands each line it prints to `on_line`, and returns its exit status.

        Standard output and error come together; a carriage return ends a line as well, as
        progress bars use it. Whatever the command leaves running in its process group is killed.
        StoppedError where `stop` ended it or had been called before.
        """
        process = self._start(command, cwd, env)
        try:
            for line in _lines(process):
                on_line(line)
        finally:
            _release([process])
            with self._lock:
                self._running.discard(process)
        if self.stopped:
            raise StoppedError("the flow is being ended")
        assert process.returncode is not None
        return process.returncode

    def _start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> _Process:
        if self._interpreter is not None and command[:2] == [sys.executable, "-m"]:
            with self._lock:
                self._refuse_if_stopped()
                forked = self._interpreter.fork(cwd)
                if forked is not None:
                    self._running.add(forked)
            if forked is not None:
                request = {
                    "grace": GRACE_SECONDS,
                    "command": command,
                    "cwd": str(cwd.resolve()),
                    "environment": dict(env),
                }
                if forked.begin(request):
                    return forked
                with self._lock:
                    self._running.discard(forked)
        with self._lock:
            self._refuse_if_stopped()
            process = subprocess.Popen(
                # -P: the modules beside the script must not pass for others' of the same name.
                [sys.executable, "-P", str(_LEASH), str(GRACE_SECONDS), *command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches the flow alone
            )
            self._running.add(process)
        return process

    def _refuse_if_stopped(self) -> None:
        if self.stopped:
            raise StoppedError("the flow is being ended")

    def stop(self) -> None:
        """Ends every running command and all its descendants; returns once they are gone."""
        with self._lock:
            self._stopped.set()
            running = list(self._running)
            for part in self._parts:
                part._stopped.set()
                running += part._running
        _release(running)


def _lines(process: _Process) -> Iterator[str]:
    assert process.stdout is not None
    rest = b""
    with process.stdout as stream:
        while chunk := os.read(stream.fileno(), 65536):
            *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in filter(None, lines):
                yield line.decode("utf-8", errors="replace")
    if rest:
        yield rest.decode("utf-8", errors="replace")


def _release(processes: Sequence[_Process]) -> None:
    """Lets go of the leashes, and waits for what was on them to end."""
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    for process in processes:
        process.wait()
