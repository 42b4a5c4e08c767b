"""Forks `python -m MODULE ARGUMENTS…` from an interpreter that has done its imports.

What the command would have set up anew is set up here: file descriptors, working directory,
environment, signals, `sys.path`, `sys.argv`, `__main__`. What it would have imported is there
already; project code is not.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import runpy
import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from flows.leash import die_of

_PR_SET_PDEATHSIG = 1
_OUR_PACKAGE = __name__.partition(".")[0]
_DVC = ("dvc", "flows.clone")  # what runs DVC
_ARG_START = 48  # in /proc/self/stat, where fields count from 1; the next one is the end


@dataclass(frozen=True)
class Program:
    """What to run: the words `python -m MODULE ARGUMENTS…`, where, and in which environment."""

    command: Sequence[str]
    cwd: str
    environment: Mapping[str, str]


def fork_python(
    program: Program,
    streams: Sequence[int],
    group: int,
    parent_death_signal: int,
    private: Iterable[int],
) -> int:
    """Runs `program` in a child process; gives its PID.

    streams: what becomes its standard input, output and error. group: the process group to join,
    0 for one of its own. parent_death_signal: what it gets if this process dies before it.
    private: the file descriptors that it must not keep.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(pid, group)
        return pid
    status = 1
    try:
        os.setpgid(0, group)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, parent_death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(status)
        for descriptor, stream in enumerate(streams):
            os.dup2(stream, descriptor)
        for descriptor in {*private, *streams} - {0, 1, 2}:
            os.close(descriptor)
        _set_up(program)
        status = _run_module(program.command[2])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _end(status)


def _set_up(program: Program) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if program.command[2] in _DVC:
        # It then releases its locks, as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.chdir(program.cwd)
    os.environ.clear()
    os.environ.update(program.environment)
    # DVC, when it was imported, had them wrapped, which nobody else should notice.
    if program.command[2] not in _DVC:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    for name in list(sys.modules):
        if name.partition(".")[0] == _OUR_PACKAGE:
            del sys.modules[name]
    if not sys.flags.safe_path:
        sys.path[0] = program.cwd
    importlib.invalidate_caches()
    sys.argv = ["-m", *program.command[3:]]
    sys.orig_argv = list(program.command)
    set_title(program.command)


def _run_module(module: str) -> int:
    """The exit status that `python -m module` would have."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        traceback = error.__traceback__
        assert traceback is not None
        sys.excepthook(type(error), error, traceback.tb_next)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _end(status: int) -> NoReturn:
    """Ends the process as Python ends, less the half second in which torch is taken apart."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):  # closed, or nobody reads any more
                status = status or 120
        ctypes.CDLL(None).fflush(None)
    finally:
        if status < 0:
            die_of(-status)
        os._exit(status)


def set_title(command: Sequence[str]) -> None:
    """Shows `command` as this process's command line, in `ps` as well as to DVC and the flow.

    Linux reads it from the process's memory, where the server's own command line has room.
    """
    with open("/proc/self/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()  # from the third on
    start, end = int(fields[_ARG_START - 3]), int(fields[_ARG_START - 2])
    room = end - start
    title = b"\0".join(os.fsencode(word) for word in command)[: room - 1]
    ctypes.memmove(start, title.ljust(room, b"\0"), room)
