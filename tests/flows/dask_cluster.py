"""A Dask scheduler and workers, started by hand as their users start them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.drill.marked import Mark
from tests.flows.toy import REPO, environment

SECONDS = 120.0


def wait_for(done: Callable[[], object], what: str = "") -> None:
    """Waits until `done` gives something true."""
    end = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < end, what or "waited for too long"
        time.sleep(0.05)


@dataclass
class DaskCluster:
    """`dask scheduler` and `dask worker`s. Their logs lie in `folder`."""

    folder: Path
    mark: Mark = field(default_factory=Mark)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Toy stages need no torch, which the workers' warm interpreters would import for seconds.
        self._path = self.folder / "without-torch"
        self._path.mkdir()
        (self._path / "torch.py").write_text("raise ImportError('not in these tests')\n")
        file = self.folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self._scheduler = self._start(
            "scheduler", "distributed.cli.dask_scheduler", *options, "--scheduler-file", str(file)
        )
        wait_for(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = str(json.loads(file.read_text())["address"])

    def start_worker(self, name: str, root: Path, *options: str, **variables: str) -> None:
        """`dask worker` of one thread in `root`; its stages see `WORKER=name`."""
        usual = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        self.workers[name] = self._start(
            *(name, "distributed.cli.dask_worker", self.address, "--host", "127.0.0.1"),
            *(*usual, *options),
            cwd=root,
            WORKER=name,
            **variables,
        )

    def _start(
        self, name: str, module: str, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=cwd or self.folder,
                env=environment(**self.mark.environment)
                | {"PYTHONPATH": os.pathsep.join([str(self._path), str(REPO)])}
                | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end_worker(self, name: str) -> None:
        """Ends it as Ctrl-C does."""
        worker = self.workers.pop(name)
        worker.terminate()
        worker.wait(SECONDS)

    def kill_worker(self, name: str) -> None:
        """Ends it by SIGKILL."""
        worker = self.workers.pop(name)
        worker.kill()
        worker.wait(SECONDS)

    def close(self) -> None:
        """Ends everything."""
        for name in list(self.workers):
            self.kill_worker(name)
        self._scheduler.kill()
        self._scheduler.wait()
        assert self.mark.left_after(30) == []

    def log(self, name: str) -> str:
        """What it has printed."""
        return (self.folder / f"{name}.log").read_text()


def pid_is_alive(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
