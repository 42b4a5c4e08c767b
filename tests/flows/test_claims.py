"""A GPU is claimed by one process at a time, whatever it is called there."""

import os
import stat
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from flows import claims
from flows.claims import ClaimedGpus, claimed_gpus
from tests.flows.toy import environment

CLAIM = """\
import sys
from flows.claims import claimed_gpus
claimed = claimed_gpus(float(sys.argv[1]) if sys.argv[1] else None)
with claimed.hold(claimed.count) as held:
    print(held["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""
# Claims are the machine's, where other tests may run beside these.
OURS = uuid.uuid4().hex
NVIDIA_SMI = f"""\
#!/bin/sh
echo 'GPU 0: H200 (UUID: GPU-a{OURS})'
echo 'GPU 1: H200 (UUID: GPU-b{OURS})'
echo 'GPU 2: H200 (UUID: GPU-c{OURS})'
"""


class Worker:
    """A process that claims GPUs and holds them; its temporary folder is its own."""

    def __init__(self, folder: Path, visible: str | None, most: str = "") -> None:
        path = os.pathsep.join([str(folder), os.environ["PATH"]])
        (own := folder / uuid.uuid4().hex).mkdir()
        variables = environment(TMPDIR=str(own), PATH=path)
        variables.pop("CUDA_VISIBLE_DEVICES", None)
        if visible is not None:
            variables["CUDA_VISIBLE_DEVICES"] = visible
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLAIM, most],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.claimed = self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.parametrize(
    ("first", "most", "second", "left"),
    [
        ("0,1", "", "0,1,2", "2"),
        ("0,1,2", "2", "0,1,2", "2"),
        ("0,1,2", "0", "0,1,2", "0,1,2"),
        (None, "1", None, "1,2"),
        pytest.param(f"GPU-b{OURS}", "", "0,1,2", "0,2", id="a whole UUID first"),
        pytest.param("1", "", f"GPU-b{OURS}", "", id="a whole UUID second"),
        ("GPU-b", "", "0,1,2", "0,2"),
    ],
)
def test_what_one_worker_has_claimed_no_other_claims(
    tmp_path: Path, first: str | None, most: str, second: str | None, left: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(NVIDIA_SMI)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    one = Worker(tmp_path, first, most)
    two = Worker(tmp_path, second)
    assert two.claimed == left

    # A worker that was killed has no claim any more.
    one.kill()
    three = Worker(tmp_path, first, most)
    assert three.claimed == one.claimed
    two.kill()
    three.kill()


def test_what_others_have_let_go_of_is_claimed_when_the_next_flow_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero, one, two = (f"{n}-{uuid.uuid4().hex}" for n in range(3))
    monkeypatch.setattr(claims, "_claimed", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"{zero},{one},{two}")
    other = Worker(tmp_path, f"{zero},{one}")
    claimed = claimed_gpus(2)
    assert (claimed.names, claimed.others) == ([two], 1)
    other.kill()
    # Dask knows of one GPU of this worker by now.
    assert claimed_gpus(1) is claimed
    assert (claimed.names, claimed.others) == ([two, zero], 0)
    with claimed.hold(2) as held:
        assert held == {"CUDA_VISIBLE_DEVICES": f"{zero},{two}"}


def test_a_process_claims_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_claimed", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(uuid.uuid4().hex for _ in range(3)))
    claimed = claimed_gpus(2)
    assert claimed.count == 2
    assert claimed_gpus(None) is claimed


def test_gpus_are_dealt_out_once_at_a_time() -> None:
    gpus = ClaimedGpus(["0", "1", "2"])
    taken: list[str] = []

    def take_two() -> None:
        with gpus.hold(2) as held:
            taken.append(held["CUDA_VISIBLE_DEVICES"])

    with gpus.hold(2) as held, gpus.hold(0) as none:
        assert held == {"CUDA_VISIBLE_DEVICES": "0,1"}
        assert none == {"CUDA_VISIBLE_DEVICES": ""}
        waits = threading.Thread(target=take_two)
        waits.start()
        with gpus.hold(1) as third:
            assert third == {"CUDA_VISIBLE_DEVICES": "2"}
        assert taken == []
    waits.join()
    assert taken == ["0,1"]
