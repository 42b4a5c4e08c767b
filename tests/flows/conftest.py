"""Fixtures: toy DVC projects and one Prefect server for all tests."""

import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flows  # noqa: F401  (before Prefect is imported)
from tests.flows.toy import VALIDATE, Toy, environment


@pytest.fixture
def make_toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Toy]:
    """Makes a toy project and works in it. (In `tmp_path`; the toy's `tasks` are in effect.)"""

    def make(*texts: str) -> Toy:
        toy = Toy(tmp_path / "toy", *texts)
        monkeypatch.chdir(toy.root)
        return toy

    experiment = types.ModuleType("tasks.kit.experiment")
    exec(VALIDATE, experiment.__dict__)
    monkeypatch.setitem(sys.modules, "tasks.kit.experiment", experiment)
    return make


@pytest.fixture
def toy(make_toy: Callable[..., Toy]) -> Toy:
    return make_toy()


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished") / "toy"
    Toy(root).dvc("repro", "-q")
    return root


@pytest.fixture
def done_toy(toy: Toy, _finished: Path) -> Toy:
    """A toy project in which `dvc repro` has done everything."""
    shutil.copytree(_finished, toy.root, dirs_exist_ok=True)
    toy.ran()
    return toy


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_server(prefect_home: Path) -> Iterator[str]:
    """The address of `prefect server start` on a fresh home; flows in this process report to it."""
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    with (prefect_home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            cwd=prefect_home,
            env=environment(PREFECT_HOME=str(prefect_home), DO_NOT_TRACK="1"),
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 240
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (prefect_home / "server.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.2)
        with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: prefect_home}):
            yield url
            APILogHandler().flush()  # what is logged goes out in batches
    finally:
        end_process(server)


def end_process(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    process.send_signal(number)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
