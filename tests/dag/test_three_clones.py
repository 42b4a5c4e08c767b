"""The real stages on three workers in three clones of the project, a DVC remote between them."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.dag.project import TINY, Project
from tests.drill.experiment import TIMES
from tests.flows.dask_cluster import DaskCluster

SMALL: dict[str, Any] = TINY | {
    "grid": ["base"],
    "pooling": TINY["pooling"] | {"methods": ["interpolation"], "corrupted": ["interpolation"]},
    "sup_tickets": TINY["sup_tickets"]
    | {"variants": [], "siblings": TINY["sup_tickets"]["siblings"] | {"methods": []}},
}
TARGETS = ("--targets", "tables")
NAMES = ("one", "two", "three")
VICTIM = "imp@base-0-round0"  # the stage whose worker is killed


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    (tmp_path / "logs").mkdir()
    cluster = DaskCluster(tmp_path / "logs")
    yield cluster
    cluster.close()


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def table(path: Path) -> Any:
    content = pq.read_table(path)
    content = content.drop_columns([name for name in TIMES if name in content.column_names])
    return content.to_pylist(), content.schema.metadata


def made(root: Path, *folders: str) -> set[str]:
    paths = (path for folder in folders for path in (root / folder).rglob("*"))
    return {path.relative_to(root).as_posix() for path in paths if path.is_file()}


def has_begun(cluster: DaskCluster, worker: str, stage: str) -> bool:
    return f"Running stage '{stage}'" in cluster.log(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_what_three_clones_make_is_what_one_machine_makes_though_one_is_killed_halfway(
    project: Project, tmp_path: Path, cluster: DaskCluster
) -> None:
    (tmp_path / "here").mkdir()
    here = Project(tmp_path / "here")
    here.params(SMALL)
    here.run("dvc", "remote", "add", "--default", "between", str(tmp_path / "remote"))
    git(here.root, "add", "--all")
    git(here.root, "commit", "--quiet", "--message", "The experiment")
    # One machine, at the same commit, as tables name it; it has the tickets and pools already.
    project.params(SMALL)
    shutil.rmtree(project.root / ".git")
    shutil.copytree(here.root / ".git", project.root / ".git")
    project.run("python", "-m", "tasks.tables")

    for name in NAMES:
        git(tmp_path, "clone", "--quiet", str(here.root), name)
        root = tmp_path / name
        cluster.start_worker(name, root, PYTHONPATH=str(root), CUDA_VISIBLE_DEVICES="")

    log = tmp_path / "flow.log"
    with log.open("w") as file:
        flow = subprocess.Popen(
            [sys.executable, "-m", "flows.imp_pool", "--dask", cluster.address, *TARGETS],
            cwd=here.root,
            env=here.env,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        victim = None
        while victim is None:
            time.sleep(0.1)
            assert flow.poll() is None, log.read_text()
            victim = next((name for name in NAMES if has_begun(cluster, name, VICTIM)), None)
        cluster.kill_worker(victim)
        flow.wait()
    finally:
        flow.kill()
    assert flow.returncode == 0, log.read_text()
    assert [has_begun(cluster, name, VICTIM) for name in NAMES].count(True) == 2

    tickets = made(here.root, "tickets", "pools")
    assert len([name for name in tickets if name.endswith(".safetensors")]) == 5
    for name in tickets:
        assert (here.root / name).read_bytes() == (project.root / name).read_bytes(), name
    tables = {name for name in made(here.root, "results") if name.endswith(".parquet")}
    assert "results/pools.parquet" in tables
    for name in tables:
        assert table(here.root / name) == table(project.root / name), name
    assert here.repro("tables") == []
