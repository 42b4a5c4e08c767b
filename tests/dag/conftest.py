"""One tiny experiment, run once through the flow for all tests and all of pytest's workers."""

import json
from pathlib import Path

import pytest
from filelock import FileLock

from tests.dag.project import Project
from tests.dag.stages import ALL


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """The experiment with all that was made in it; not to be changed."""
    top = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        top = top.parent  # which the workers share
    folder, ran = top / "finished", top / "finished.json"
    with FileLock(top / "finished.lock"):
        if not ran.exists():
            folder.mkdir()
            ran.write_text(json.dumps(Project(folder).flow("imp_pool")))
    assert sorted(json.loads(ran.read_text())) == sorted(ALL)
    return Project.at(folder)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it to change."""
    return finished.copy(tmp_path / "copy")
