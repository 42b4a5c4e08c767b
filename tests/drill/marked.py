"""Processes that one command has started, however they descend from it: by a mark they inherit."""

import contextlib
import os
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil

VARIABLE = "STARTED_BY_DRILL"


@dataclass(frozen=True)
class Mark:
    """A mark in the environment of processes, which those that they start inherit. Linux only."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def environment(self) -> dict[str, str]:
        """The variable that marks."""
        return {VARIABLE: self.name}

    def processes(self) -> list[psutil.Process]:
        """Those that bear the mark and are alive, in the order in which they began."""
        line = f"{VARIABLE}={self.name}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                with contextlib.suppress(OSError, psutil.NoSuchProcess):
                    if line in (folder / "environ").read_bytes().split(b"\0"):
                        found.append(psutil.Process(int(folder.name)))
        return sorted(found, key=lambda process: (process.create_time(), process.pid))

    def left_after(self, seconds: float) -> list[str]:
        """The command lines of those that are there still, once they have had that time."""
        end = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        return [command_line(process) for process in left]


def command_line(process: psutil.Process) -> str:
    """What `ps` would show; empty where it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline()).strip()
    return ""
