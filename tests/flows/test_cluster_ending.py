"""No stage on a worker outlives the flow that asked for it, however the flow ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drill.marked import Mark
from tests.flows.dask_cluster import DaskCluster, pid_is_alive, wait_for
from tests.flows.toy import Toy, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")

SLOW = """\
stages:
  slow:
    cmd: "echo $$ > pid; test -f quick || sleep 60; echo > slow.txt"
    outs: [slow.txt]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "toy", SLOW)


@pytest.fixture
def cluster(tmp_path: Path, toy: Toy) -> Iterator[DaskCluster]:
    started = DaskCluster(tmp_path)
    started.start_worker("one", toy.root)
    yield started
    started.close()


def start(toy: Toy, home: Path, mark: Mark, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.flows.everything", *arguments],
        cwd=toy.root,
        env=environment(PREFECT_HOME=str(home), **mark.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end_during_a_stage(
    toy: Toy, flow: subprocess.Popen[str], kill: Callable[[int, int], None], number: int
) -> str:
    wait_for(lambda: (toy.root / "pid").exists() and toy.read("pid").strip())
    pid = int(toy.read("pid"))
    started = time.monotonic()
    kill(flow.pid, number)
    output, _ = flow.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert not pid_is_alive(pid), output
    assert time.monotonic() - started < 25
    wait_for(lambda: not pid_is_alive(pid))
    assert not (toy.root / "slow.txt").exists()
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stage_on_a_worker_ends_with_the_flow_and_the_worker_stays(
    toy: Toy, cluster: DaskCluster, home: Path, number: signal.Signals
) -> None:
    mark = Mark()
    flow = start(toy, home, mark, "--dask", cluster.address)
    output = end_during_a_stage(toy, flow, os.killpg, number)
    assert mark.left_after(10) == []
    assert flow.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in output

    # The next flow uses the same worker.
    toy.write("quick", "")
    flow = start(toy, home, mark, "--dask", cluster.address)
    output, _ = flow.communicate(timeout=120)
    assert flow.returncode == 0, output
    assert (toy.root / "slow.txt").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_local_workers_end_with_the_flow(toy: Toy, home: Path, number: signal.Signals) -> None:
    mark = Mark()
    flow = start(toy, home, mark, "--dask")
    output = end_during_a_stage(toy, flow, os.killpg, number)
    assert mark.left_after(30) == []
    assert flow.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in output
