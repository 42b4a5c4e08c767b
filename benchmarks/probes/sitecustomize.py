"""Notes what a flow and DVC spend time on, in every Python process that starts.

Python imports a file of this name where its folder is on PYTHONPATH. Each event adds a line to the
file that LP_PROBES names: what, when it began (seconds of a clock that all processes of the machine
share), and how long it took.

    task     a stage's Prefect task, from its first line to its last
    dvc      a `dvc repro`
    wait     from the first try for DVC's lock on the repository until it is held
    held     from then until it is let go; twice for a stage that runs
    command  DVC has a stage's command run
    graph    the flow asks DVC for the graph
    end      the flow, after its last stage
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from typing import Any

TIMED = {
    "dvc.cli": {"main": "dvc"},
    "dvc.stage.run": {"cmd_run": "command"},
    "flows.stage": {"_dvc_repro": "task"},
    "flows.graph": {"read_graph": "graph"},
}


def note(what: str, began: float) -> None:
    """Adds an event that ends now."""
    line = f"{what} {began:.6f} {time.monotonic() - began:.6f}\n"
    file = os.open(os.environ["LP_PROBES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line.encode())
    os.close(file)


def timed(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        try:
            return function(*args, **kwargs)
        finally:
            note(what, began)

    return noting


def watch_lock(module: Any) -> None:
    """Has `dvc.lock.Lock` tell of the repository's lock."""
    since: dict[int, float] = {}
    usual_try, usual_unlock = module.Lock._do_lock, module.Lock.unlock

    def try_once(self: Any) -> None:
        began = since.setdefault(id(self), time.monotonic())
        usual_try(self)
        if os.path.basename(self.lockfile) == "lock":
            note("wait", began)
        since[id(self)] = time.monotonic()

    def unlock(self: Any) -> None:
        usual_unlock(self)
        began = since.pop(id(self), None)
        if began is not None and os.path.basename(self.lockfile) == "lock":
            note("held", began)

    module.Lock._do_lock, module.Lock.unlock = try_once, unlock


class Finder(importlib.abc.MetaPathFinder):
    """Puts the probes into a module as soon as it is imported."""

    def find_spec(self, name: str, *_: Any) -> Any:
        if name not in TIMED and name != "dvc.lock":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return None
        usual = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            usual(module)
            for function, what in TIMED.get(name, {}).items():
                setattr(module, function, timed(what, getattr(module, function)))
            if name == "dvc.lock":
                watch_lock(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if "LP_PROBES" in os.environ:
    sys.meta_path.insert(0, Finder())
