"""The Dask cluster of a drill."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.drill.marked import command_line
from tests.drill.started import Started, runs_dvc, runs_stage

LATE = 4.0  # seconds after which a worker that was killed is started again


@dataclass
class Cluster:
    """A Dask scheduler and workers in `roots`, each started again some time after it was killed.

    One worker has a nanny, the other has none. folder: where they write what they print.
    """

    roots: Sequence[Path]
    environment: Mapping[str, str]
    folder: Path
    address: str = ""
    scheduler: Started | None = None
    workers: list[Started | None] = field(default_factory=list)
    ended: list[Started] = field(default_factory=list)  # of which nothing may be left
    _due: dict[int, float] = field(default_factory=dict)

    def tick(self) -> None:
        """Starts what is not there; a worker that has ended, LATE seconds after that was seen."""
        if self.scheduler is None or not self.scheduler.alive:
            self._renew_scheduler()
        for number, worker in enumerate(self.workers):
            if worker is not None and not worker.alive:
                self.ended.append(worker)
                self.workers[number] = None
                self._due[number] = time.monotonic() + LATE
            if self.workers[number] is None and time.monotonic() > self._due.get(number, 0):
                self.workers[number] = self._start_worker(number)

    def processes(self) -> list[psutil.Process]:
        """Those of the scheduler and the workers, and what runs on them."""
        started = [self.scheduler, *self.workers]
        return [p for one in started if one is not None for p in one.mark.processes()]

    def find_worker(self) -> list[psutil.Process]:
        """The worker process that runs a stage, of the workers."""
        for worker in self.workers:
            processes = worker.mark.processes() if worker is not None else []
            if any(map(runs_dvc, processes)):
                # Where there is a nanny, its child.
                own = [p for p in processes if "dask_worker" in command_line(p)]
                spawned = [p for p in processes if "multiprocessing.spawn" in command_line(p)]
                return (spawned or own)[:1]
        return []

    def find_scheduler(self) -> list[psutil.Process]:
        """The scheduler's process."""
        own = self.scheduler.mark.processes() if self.scheduler is not None else []
        return own[:1]

    def left_after(self, seconds: float) -> Iterator[str]:
        """Command lines of stages' processes that are there still, once they have had that time.

        And of whatever is left of workers that have ended.
        """
        end = time.monotonic() + seconds
        while left := self._left():
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        yield from left
        self.ended.clear()

    def _left(self) -> list[str]:
        on_workers = [p for p in self.processes() if runs_stage(p) or runs_dvc(p)]
        of_ended = [p for worker in self.ended for p in worker.mark.processes()]
        return [line for p in (*on_workers, *of_ended) if (line := command_line(p))]

    def end(self, seconds: float) -> list[str]:
        """Ends all in order; command lines of what is left."""
        started = [one for one in (*self.workers, self.scheduler) if one is not None]
        for one in started:
            one.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.process.wait(seconds)
        left = [line for one in (*started, *self.ended) for line in one.mark.left_after(seconds)]
        for one in (*started, *self.ended):
            one.kill()
        self.scheduler, self.workers, self.ended = None, [], []
        return left

    def tail(self) -> str:
        """The last of what the workers have printed."""
        texts = [f"  {path.name}\n{_tail(path)}" for path in sorted(self.folder.glob("dask-*"))]
        return "\n".join(texts)

    def _renew_scheduler(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        # Workers end with their scheduler.
        self.ended += [worker for worker in self.workers if worker is not None]
        self.workers = [None] * len(self.roots)
        self._due = {number: time.monotonic() + number * LATE for number in range(len(self.roots))}
        self.scheduler = self._start("scheduler", 0, "--port", str(port), "--no-dashboard")

    def _start_worker(self, number: int) -> Started:
        nanny = "--nanny" if number else "--no-nanny"
        options = ("--nthreads", "1", "--memory-limit", "0", "--no-dashboard", nanny)
        return self._start("worker", number, self.address, *options)

    def _start(self, what: str, number: int, *arguments: str) -> Started:
        root = self.roots[number]
        module = f"distributed.cli.dask_{what}"
        return Started.start(
            [sys.executable, "-m", module, "--host", "127.0.0.1", *arguments],
            root,
            {**self.environment, "PYTHONPATH": _path_of(self.environment, root)},
            self.folder / f"dask-{what}-{number}",
        )


def _path_of(environment: Mapping[str, str], root: Path) -> str:
    """PYTHONPATH with the project in `root` last."""
    *others, _ = environment["PYTHONPATH"].split(os.pathsep)
    return os.pathsep.join([*others, str(root)])


def _tail(path: Path) -> str:
    return "\n".join(f"    {line}" for line in path.read_text(errors="replace").splitlines()[-15:])
