"""Stages on Dask workers, which are processes of their own, in a workspace that they share."""

import itertools
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterTaskRunId

from flows import stage
from tests.flows.dask_cluster import DaskCluster, wait_for
from tests.flows.everything import everything
from tests.flows.test_reproduce import task_runs
from tests.flows.toy import DVC_YAML, STAGES, Toy

pytestmark = [
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc"),
]


# Claims are the machine's, where other tests may run beside these.
GPUS = [f"{n}-{uuid.uuid4().hex}" for n in range(4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[DaskCluster]:
    """A scheduler, and two workers in the toy's folder with a GPU each."""
    (folder / "toy").mkdir()
    started = DaskCluster(folder)
    try:
        for name, gpu in (("one", GPUS[0]), ("two", GPUS[1])):
            started.start_worker(name, folder / "toy", CUDA_VISIBLE_DEVICES=gpu)
        yield started
    finally:
        started.close()


@pytest.fixture
def make(
    cluster: DaskCluster,  # noqa: ARG001
    folder: Path,
    make_toy: Callable[..., Toy],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Toy]:
    """Makes a fresh toy project where the workers are."""
    make_toy()  # for the `tasks` of this process
    monkeypatch.setattr(stage.reproduce_stage, "retry_delay_seconds", [0.1, 0.1, 0.1])

    def make(*texts: str) -> Toy:
        empty(folder / "toy")
        monkeypatch.chdir(folder / "toy")
        return Toy(folder / "toy", *texts)

    return make


def empty(folder: Path) -> None:
    """Removes all that is in the folder, which processes are in."""
    import shutil

    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def on_workers(text: str) -> str:
    """dvc.yaml with stages that note which worker they ran on."""
    return text.replace(" >> ran.log", "-on-$WORKER >> ran.log")


def test_stages_run_on_the_workers_of_the_project_as_they_run_here(
    make: Callable[..., Toy],
    cluster: DaskCluster,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    toy = make(on_workers(DVC_YAML))
    cluster.start_worker("astray", tmp_path)
    wait_for(lambda: "Registered to" in cluster.log("astray"))
    try:
        state = everything(dask=cluster.address, return_state=True)
    finally:
        cluster.end_worker("astray")
    (line,) = [r.message for r in caplog.records if "is left out" in r.message]
    assert "is not in a DVC project" in line
    ran = [line.rpartition("-on-") for line in toy.ran()]
    assert sorted(name for name, _, _ in ran) == sorted(
        ["base", "aside", "imp-0-0", "imp-0-1", "imp-1-0", "imp-1-1", "table"]
    )
    assert {worker for _, _, worker in ran} == {"one", "two"}
    assert state.result() == dict.fromkeys(STAGES, "Completed")
    assert "up to date" in toy.dvc("repro")

    # The server has the graph, the states and the logs, as of a run without a cluster.
    runs = task_runs(state)
    assert {name: run.state_name for name, run in runs.items()} == dict.fromkeys(
        STAGES, "Completed"
    )
    upstream = {getattr(edge, "id", None) for edge in runs["table"].task_inputs["upstream"]}
    assert upstream == {runs["imp@0-round1"].id, runs["imp@1-round1"].id}
    with get_client(sync_client=True) as client:
        said = LogFilter(task_run_id=LogFilterTaskRunId(any_=[runs["base"].id]))
        wait_for(lambda: "Running stage 'base':" in [log.message for log in client.read_logs(said)])
        assert {a.key for a in client.read_artifacts()} >= {"everything-accuracy"}


TRAININGS = """\
stages:
  train:
    matrix: {n: [1, 2, 3, 4]}
    cmd: >-
      python -c "import time, os; a = time.monotonic(); time.sleep(0.5);
      print(a, time.monotonic(), os.environ.get('CUDA_VISIBLE_DEVICES'),
      file=open('train${item.n}.txt', 'w'))"
    params: [compute, train]
    outs: ["train${item.n}.txt"]
  count:
    cmd: "printf %s \\"$CUDA_VISIBLE_DEVICES\\" > count.txt"
    outs: [count.txt]
  meet:
    matrix: {n: [1, 2]}
    cmd: >-
      touch met${item.n}; for i in $(seq 600); do test -e met1 -a -e met2 && break; sleep 0.1; done;
      test -e met1 -a -e met2 && echo > meet${item.n}.txt
    outs: ["meet${item.n}.txt"]
  wide:
    cmd: "printf %s \\"$CUDA_VISIBLE_DEVICES\\" > wide.txt"
    params: [compute, train, variants.wide]
    outs: [wide.txt]
"""
COMPUTE = """\
compute: {device: auto}
train: {devices: 1}
variants:
  wide: {train: {devices: 2}}
"""


def test_stages_run_at_once_each_with_its_gpus_to_itself_and_a_late_worker_is_used(
    make: Callable[..., Toy], cluster: DaskCluster, caplog: pytest.LogCaptureFixture
) -> None:
    toy = make(TRAININGS, COMPUTE)

    def come_late() -> None:
        wait_for(lambda: "asks for 2 GPUs, and no worker has as many; it waits" in caplog.text)
        cluster.start_worker("late", toy.root, CUDA_VISIBLE_DEVICES=",".join(GPUS[2:]))

    late = threading.Thread(target=come_late)
    late.start()
    try:
        everything(dask=cluster.address)
    finally:
        late.join()
        cluster.end_worker("late")
    assert toy.read("wide.txt") == ",".join(GPUS[2:])
    assert toy.read("count.txt") == ""  # asks for none and sees none
    assert toy.read("meet1.txt") == toy.read("meet2.txt") == "\n"  # neither ends without the other
    spans = [toy.read(f"train{n}.txt").split() for n in (1, 2, 3, 4)]
    assert set(GPUS[:2]) <= {gpu for _, _, gpu in spans} <= set(GPUS)
    for gpu in GPUS[:2]:
        times = sorted((float(a), float(b)) for a, b, its in spans if its == gpu)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times))


KILLED = """\
stages:
  long:
    cmd: >-
      echo $WORKER >> ran.log; test $(wc -l < ran.log) = 2 || sleep 60; echo > long.txt
    outs: [long.txt]
  next:
    cmd: echo > next.txt
    deps: [long.txt]
    outs: [next.txt]
"""


def test_what_a_killed_worker_was_running_runs_on_another(
    make: Callable[..., Toy], cluster: DaskCluster
) -> None:
    toy = make(KILLED)
    killed: list[str] = []

    def kill() -> None:
        wait_for(lambda: (toy.root / "ran.log").exists() and toy.read("ran.log").strip())
        killed.append(toy.read("ran.log").strip())
        cluster.kill_worker(killed[0])

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        state = everything(dask=cluster.address, return_state=True)
    finally:
        thread.join()
    assert state.result() == {"long": "Completed", "next": "Completed"}
    first, second = toy.ran()
    assert first == killed[0] != second
    assert task_runs(state)["long"].state_name == "Completed"
