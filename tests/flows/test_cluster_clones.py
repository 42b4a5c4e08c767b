"""Flows with workers in clones, of which somebody edits one while they run."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lp_core.errors import InputError
from tests.flows.dask_cluster import DaskCluster
from tests.flows.everything import everything
from tests.flows.toy import Toy

pytestmark = [
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc"),
]

# The first stage edits a file of the workspace `EDITED`, once it has been found to agree.
DVC_YAML = """\
stages:
  first:
    cmd: test -z "$EDIT" || eval "$EDIT"; echo first > first.txt
    outs: [first.txt]
  part:
    matrix: {part: [a, b, c, d]}
    cmd: echo $WORKER-${item.part} >> ../ran.log; cp source.txt part-${item.part}.txt
    deps: [first.txt, source.txt]
    outs: ["part-${item.part}.txt"]
"""
PARTS = [f"part@{part}" for part in "abcd"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    (tmp_path / "logs").mkdir()
    cluster = DaskCluster(tmp_path / "logs")
    yield cluster
    cluster.close()


@pytest.fixture
def start(make_toy: Callable[..., Toy], cluster: DaskCluster) -> Callable[..., Toy]:
    """Makes a project and two clones with a worker each, whose first stage does `edit`."""

    def start(edit: str) -> Toy:
        toy = make_toy(DVC_YAML)
        toy.dvc("remote", "add", "-q", "-d", "between", str(toy.root.parent / "remote"))
        for name in ("one", "two"):
            shutil.copytree(toy.root, toy.root.parent / name)
            cluster.start_worker(name, toy.root.parent / name, EDIT=edit)
        return toy

    return start


def test_a_clone_that_is_edited_meanwhile_is_left_out_and_others_have_its_stages(
    start: Callable[..., Toy], cluster: DaskCluster, caplog: pytest.LogCaptureFixture
) -> None:
    toy = start("echo edited > ../one/source.txt")
    assert everything(dask=cluster.address) == dict.fromkeys(["first", *PARTS], "Completed")
    ran = (toy.root.parent / "ran.log").read_text().split()
    assert sorted(ran) == [f"two-{part}" for part in "abcd"]
    assert toy.read("part-a.txt") == "source\n"
    (line,) = [r.message for r in caplog.records if "is left out" in r.message]
    assert f"{toy.root.parent / 'one' / 'source.txt'} is not the flow's" in line
    assert "up to date" in toy.dvc("repro")


def test_a_flow_whose_own_params_are_edited_meanwhile_ends_with_one_line(
    start: Callable[..., Toy], cluster: DaskCluster, caplog: pytest.LogCaptureFixture
) -> None:
    toy = start("echo '# edited' >> ../toy/params.yaml")
    state = everything(dask=cluster.address, return_state=True)
    with pytest.raises(InputError, match=r"^params\.yaml was edited while the flow ran"):
        state.result()
    assert [r.message for r in caplog.records if "was edited" in r.message] != []
    assert not (toy.root.parent / "ran.log").exists()
    assert toy.locked() == {"first"}  # what had begun was taken in
