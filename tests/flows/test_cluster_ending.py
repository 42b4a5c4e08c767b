"""No stage on a worker outlives the flow that asked for it, however the flow ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drill.marked import Mark
from tests.flows.dask_cluster import DaskCluster, pid_is_alive, wait_for
from tests.flows.everything import everything
from tests.flows.toy import Toy, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")

SLOW = """\
stages:
  slow:
    cmd: "echo $$ > pid; test -f quick || sleep 300; echo > slow.txt"
    outs: [slow.txt]
"""


@pytest.fixture
def toy(make_toy: Callable[..., Toy]) -> Toy:
    return make_toy(SLOW)


@pytest.fixture
def start(
    toy: Toy, prefect_server: str, prefect_home: Path
) -> Callable[..., subprocess.Popen[str]]:
    """Starts the flow as the command line does."""

    def start(mark: Mark, *arguments: str) -> subprocess.Popen[str]:
        variables = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(prefect_home)}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.flows.everything", *arguments],
            cwd=toy.root,
            env=environment(**variables, **mark.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def end_during_a_stage(toy: Toy, flow: subprocess.Popen[str], number: int) -> str:
    """Sends the signal to all of the flow's group, as a terminal does; gives what it has said."""
    wait_for(lambda: (toy.root / "pid").exists() and toy.read("pid").strip())
    pid = int(toy.read("pid"))
    started = time.monotonic()
    os.killpg(flow.pid, number)
    output, _ = flow.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert not pid_is_alive(pid), output
    assert time.monotonic() - started < 25
    wait_for(lambda: not pid_is_alive(pid))
    assert not (toy.root / "slow.txt").exists()
    (toy.root / "pid").unlink()
    return output


def test_a_stage_on_a_worker_ends_with_the_flow_and_the_worker_stays(
    toy: Toy, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    cluster = DaskCluster(tmp_path)
    try:
        cluster.start_worker("one", toy.root)
        for number in (signal.SIGTERM, signal.SIGKILL):
            mark = Mark()
            flow = start(mark, "--dask", cluster.address)
            output = end_during_a_stage(toy, flow, number)
            assert mark.left_after(10) == []
            assert flow.returncode == (-number if number == signal.SIGKILL else 128 + number)
            assert "Traceback" not in output
        toy.write("quick", "")
        assert everything(dask=cluster.address) == {"slow": "Completed"}
    finally:
        cluster.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_local_workers_end_with_the_flow(
    toy: Toy, start: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    mark = Mark()
    flow = start(mark, "--dask")
    output = end_during_a_stage(toy, flow, number)
    assert mark.left_after(30) == []
    assert flow.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in output
