"""What is edited while a real stage runs does not pass for what its result was made from."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dag.project import TINY, Project

EPOCHS = 5
TRAIN: dict[str, Any] = {**TINY["train"], "epochs": EPOCHS}
ROUND = "imp@base-0-round0"
STAGE = [
    *(sys.executable, "-m", "tasks.imp", "--variant", "base", "--seed", "0"),
    *("--ticket", "0", "--parent", "rewind"),
]
LOOP = "lp_core/training/trainer.py"
LONGER = {**TINY["imp"], "rounds": [*TINY["imp"]["rounds"], {"ticket": 2, "parent": 1}]}
OLD_VALUE = (
    "params.yaml: train.weight_decay changed from 0.0005 to 0.001 while this ran; "
    "the result is of the old value; run again"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("edited"))
    project.params({"train": TRAIN})
    project.repro("pretrain@base-0")
    return project


@pytest.fixture
def project(made: Project) -> Iterator[Project]:
    """As it was made, whatever the tests before have edited and trained."""
    files = [made.root / name for name in ("params.yaml", LOOP)]
    texts = [file.read_text() for file in files]
    shutil.rmtree(made.root / ".resume", ignore_errors=True)
    yield made
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    made.repro("pretrain@base-0")


def _while_running(
    project: Project, command: list[str], edit: Callable[[], None]
) -> tuple[int, str]:
    """Exit code and output of a round during which something is edited."""
    process = subprocess.Popen(
        command,
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if f"epoch 2/{EPOCHS}" in line:
            edit()
    return process.wait(), "".join(lines)


def _decay(project: Project) -> None:
    project.params({"train": {**TRAIN, "weight_decay": 0.001}})


def test_a_parameter_that_the_stage_read(project: Project) -> None:
    code, output = _while_running(project, STAGE, lambda: _decay(project))
    assert (code, output.splitlines()[-1]) == (1, OLD_VALUE)


def _append(project: Project, text: str) -> None:
    with (project.root / LOOP).open("a") as file:
        file.write(text)


def test_a_source_file_that_the_stage_runs(project: Project) -> None:
    edit = "EPSILON = 1e-8\n"
    code, output = _while_running(project, STAGE, lambda: _append(project, edit))
    assert (code, output.splitlines()[-1]) == (
        1,
        f"{LOOP} changed while this ran; the result is of the old code; run again",
    )


def test_a_comment_in_it_may_be_added(project: Project) -> None:
    edit = "# an afterthought\n"
    code, output = _while_running(project, STAGE, lambda: _append(project, edit))
    assert code == 0, output


def test_a_single_stage_refuses_code_that_the_stage_code_has_not_seen(
    made: Project, tmp_path: Path
) -> None:
    """`dvc repro --single-item` does not look at lp_core/, so code/imp.json is of the old code."""
    project = made.copy(tmp_path / "copy")
    project.repro(ROUND)
    lock = (project.root / "dvc.lock").read_text()
    _append(project, "EPSILON = 1e-8\n")
    output = project.dvc("repro", "--single-item", "--force", ROUND, check=False)
    assert f"error: {LOOP} is not what code/imp.json was made from" in output
    assert "exited with 2" in output
    assert (project.root / "dvc.lock").read_text() == lock
    assert project.repro(ROUND) == ["code", "pretrain@base-0", ROUND]


@pytest.mark.parametrize(
    "changes",
    [{"pooling": TINY["pooling"] | {"corrupted": ["swa"]}}, {"seeds": [0, 1]}, {"imp": LONGER}],
    ids=["a section that it does not read", "another seed", "another round"],
)
def test_what_the_stage_does_not_depend_on_may_be_edited(
    project: Project, changes: dict[str, Any]
) -> None:
    code, output = _while_running(project, STAGE, lambda: project.params(changes))
    assert code == 0, output


def test_of_two_processes_one_tells_and_the_stage_fails(project: Project) -> None:
    project.params({"train": {**TRAIN, "devices": 2}})
    code, output = _while_running(
        project,
        STAGE,
        lambda: project.params({"train": {**TRAIN, "devices": 2, "weight_decay": 0.001}}),
    )
    assert code == 1
    assert output.splitlines().count(OLD_VALUE) == 1


def test_dvc_takes_the_stage_as_done_neither_for_the_old_value_nor_for_the_new(
    project: Project,
) -> None:
    repro = ["repro", "--single-item", ROUND]
    ticket = project.root / "tickets/base/0/0.safetensors"
    code, output = _while_running(project, ["dvc", *repro], lambda: _decay(project))
    assert code != 0
    assert OLD_VALUE in output.splitlines()
    assert f"{ROUND}:" not in (project.root / "dvc.lock").read_text()
    of_the_old = ticket.read_bytes()

    # Neither from the run cache nor from the state of a killed round.
    output = project.dvc(*repro)
    assert f"epoch 2/{EPOCHS}" in output
    assert "going on from" not in output
    assert ticket.read_bytes() != of_the_old
    assert f"{ROUND}:" in (project.root / "dvc.lock").read_text()

    project.params({"train": TRAIN})
    assert project.repro("--single-item", ROUND) == [ROUND]
    assert ticket.read_bytes() == of_the_old
