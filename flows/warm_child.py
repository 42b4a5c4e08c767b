"""Turns a process that `flows.warm` has just forked into `python -m MODULE ARGUMENTS…`.

What the command would have set up anew is set up here: file descriptors, working directory,
environment, signals, `sys.path`, `sys.argv`, `__main__`. What it would have imported is there
already; project code is not.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_OUR_PACKAGE = __name__.partition(".")[0]
_ARG_START = 48  # in /proc/self/stat, where fields count from 1; the next one is the end


def become(
    command: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    group: int,
    parent: int,
    parent_death_signal: int,
) -> NoReturn:
    """Runs `command`, the words `python -m MODULE ARGUMENTS…`, and ends this process with it.

    Standard input, output and error are this process's. group: the process group to join, 0 for
    one of its own; parent: who forked it; parent_death_signal: what to send it when `parent` dies.
    """
    status = 1
    try:
        os.setpgid(0, group)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, parent_death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(1)
        _set_up(command, cwd, environment)
        status = _run_module(command[2])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _end(status)


def _set_up(command: Sequence[str], cwd: str, environment: Mapping[str, str]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # DVC has them wrapped (colorama), which nothing else should notice.
    if command[2] != "dvc":
        assert sys.__stdout__ is not None
        assert sys.__stderr__ is not None
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    for name in list(sys.modules):
        if name.partition(".")[0] == _OUR_PACKAGE:
            del sys.modules[name]
    if not sys.flags.safe_path:
        sys.path[0] = cwd
    importlib.invalidate_caches()
    sys.argv = ["-m", *command[3:]]
    sys.orig_argv = list(command)
    set_title(command)


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
            signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
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
