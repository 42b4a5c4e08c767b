"""Prefect's server is gone for a while as the flow runs.

Stages in threads do not notice; a worker asks for it before its first stage.
"""

import contextlib
import socket
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows import outage
from tests.flows.dask_cluster import DaskCluster, wait_for
from tests.flows.everything import everything
from tests.flows.toy import Toy

DVC_YAML = """\
stages:
  long:
    cmd: echo $WORKER > running; while [ ! -e over ]; do sleep 0.05; done; echo > long.txt
    outs: [long.txt]
  next:
    cmd: echo next >> ran.log; cp long.txt next.txt
    deps: [long.txt]
    outs: [next.txt]
  last:
    cmd: echo last >> ran.log; cp next.txt last.txt
    deps: [next.txt]
    outs: [last.txt]
"""


class Door:
    """A port of one's own that leads to the server while it is open."""

    def __init__(self, server: str) -> None:
        parts = urllib.parse.urlsplit(server)
        self._there = (str(parts.hostname), int(parts.port or 0))
        self._listener: socket.socket | None = None
        self._through: list[socket.socket] = []
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def close(self) -> None:
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._through:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                ends = listener.accept()[0], socket.create_connection(self._there)
                self._through += ends
                for source, target in (ends, ends[::-1]):
                    threading.Thread(target=self._pass, args=[source, target], daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def door(prefect_server: str) -> Iterator[Door]:
    door = Door(prefect_server)
    # Prefect's client tries again for minutes by itself, where a connection breaks.
    with temporary_settings({PREFECT_API_URL: door.url, PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield door


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_a_flow_goes_on_when_its_server_is_back(
    door: Door,
    tmp_path: Path,
    make_toy: Callable[..., Toy],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage, "LOOK_SECONDS", 0.1)
    toy = make_toy(DVC_YAML)
    cluster = DaskCluster(tmp_path)
    for name in ("one", "two"):
        cluster.start_worker(name, toy.root, PREFECT_CLIENT_MAX_RETRIES="0")

    def go_out() -> None:
        running = toy.root / "running"
        wait_for(lambda: running.exists() and running.read_text().strip())
        door.close()
        cluster.kill_worker(running.read_text().strip())  # the other takes over
        toy.write("over", "")
        try:
            wait_for(lambda: "does not answer; stages that run go on" in caplog.text)
        finally:
            door.open()

    outside = threading.Thread(target=go_out)
    outside.start()
    try:
        state = everything(dask=cluster.address, return_state=True)
    finally:
        outside.join()
        cluster.close()
    assert state.result() == dict.fromkeys(["long", "next", "last"], "Completed")
    assert toy.ran() == ["next", "last"]
    assert "answers again" in caplog.text
