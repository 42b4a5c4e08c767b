"""A round that is killed -9 goes on from its last finished epoch, to the same bytes."""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.dag.project import TINY, Project

EPOCHS = 8
ROUND = "imp@base-0-round1"
COMMAND = ["dvc", "repro", "--single-item", ROUND]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("killed"))
    made.params({"train": {**TINY["train"], "epochs": EPOCHS}})
    made.repro("imp@base-0-round0")
    return made


def _outputs(project: Project) -> list[bytes]:
    return [(project.root / "tickets/base/0/1.safetensors").read_bytes()]


@pytest.mark.parametrize("entropy", [random.randrange(10**6) for _ in range(1)])
def test_a_killed_round_gives_the_bytes_of_an_undisturbed_one(
    project: Project, entropy: int
) -> None:
    project.run(*COMMAND, "--force", "--no-run-cache")
    undisturbed = _outputs(project)
    after = random.Random(entropy).randint(2, EPOCHS - 1)

    process = subprocess.Popen(
        [*COMMAND, "--force", "--no-run-cache"],
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if f"epoch {after}/{EPOCHS}" in line:
            # dvc and the stage, both at once and without warning
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL
    left = list(Path(project.root, ".resume").glob(f"{ROUND}.*.safetensors"))
    assert len(left) == 1, "the state of the killed round is kept"

    output = project.run(*COMMAND, "--force", "--no-run-cache")
    assert "going on from" in output
    assert f"epoch {after - 1}/{EPOCHS}" not in output, "a finished epoch ran again"
    assert _outputs(project) == undisturbed
    assert not left[0].exists(), "the state goes once the ticket is written"


def test_a_state_left_by_other_parameters_is_not_picked_up(project: Project) -> None:
    stale = project.root / ".resume" / f"{ROUND}.0123456789abcdef.safetensors"
    stale.parent.mkdir(exist_ok=True)
    stale.write_bytes(b"the state of some other run")
    output = project.run(*COMMAND, "--force", "--no-run-cache")
    assert "going on from" not in output
