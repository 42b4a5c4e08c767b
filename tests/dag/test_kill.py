"""A training that is killed -9 goes on from its last finished epoch, to the same bytes."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dag.project import TINY, Project
from tests.drill.marked import Mark

EPOCHS = 8
START = 2
IMP = TINY["imp"] | {
    "rounds": [{"ticket": k, "parent": k - 1 if k else "rewind"} for k in range(3)],
}
SUP_TICKETS = TINY["sup_tickets"] | {
    "start": START,
    "ending": TINY["sup_tickets"]["ending"] | {"cia": {"tickets": 2, "cycle": 3}},
}
STEPS = [{"step": k, "after": k - 1 or "start"} for k in range(1, 6)]  # as many as 8 epochs need
SGD_NOISE = TINY["sgd_noise"] | {
    "variants": ["base"],
    "stable_rewind": {"variants": ["base"], "steps": STEPS},
}
ROUND = "imp@base-0-round1"
REPRO = ["repro", "--single-item", ROUND]
# By stage: what it leaves, and after how many of its epochs it is killed. An ending has a running
# average and a cheap ticket then; a probe trains up to its epoch, or one of the forks from there.
KILLED = {
    ROUND: ("tickets/base/0/1.safetensors", range(1, 7)),
    "ending@base-0-rigl-cia": ("endings/base/rigl/cia/0/*.safetensors", range(4, 6)),
    "fork@base-0-rewind-1": ("forks/base/0/rewind/1/*.safetensors", range(1, 7)),
    "rewind_probe@base-0-step0": ("rewind_search/base/0/1/*", range(1, 11)),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("killed"))
    made.params({"train": {**TINY["train"], "epochs": EPOCHS}, "imp": IMP})
    made.params({"sup_tickets": SUP_TICKETS, "sgd_noise": SGD_NOISE})
    made.repro("imp@base-0-round0", "sparse@base-0-rigl", "rewind_start@base-0")
    return made


@pytest.fixture(autouse=True)
def nothing_kept(project: Project) -> None:
    shutil.rmtree(project.root / ".resume", ignore_errors=True)


def _kept(project: Project) -> list[Path]:
    return list(Path(project.root, ".resume").glob(f"{ROUND}.*.safetensors"))


def _outputs(project: Project, stage: str = ROUND) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.root.glob(KILLED[stage][0])}


@pytest.mark.parametrize("stage", KILLED)
def test_a_killed_training_gives_the_bytes_of_an_undisturbed_one(
    project: Project, stage: str
) -> None:
    repro = ["repro", "--single-item", "--force", "--no-run-cache", stage]
    epochs = _epochs(project.dvc(*repro))
    undisturbed = _outputs(project, stage)
    shutil.rmtree(project.root / ".resume")
    after = random.choice(KILLED[stage][1])
    print(f"killed after epoch {after} of {epochs}")  # which pytest shows where the test fails

    process = subprocess.Popen(
        ["dvc", *repro],
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    ended = 0
    for line in process.stdout:
        ended += _epochs(line)
        if ended == after:
            # dvc and the stage, both at once and without warning
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert list((project.root / ".resume").iterdir()), "the state of the killed training is kept"

    output = project.dvc(*repro)
    assert "going on from" in output
    assert _epochs(output) - (epochs - after) in (0, 1), "a finished epoch ran again"
    assert _outputs(project, stage) == undisturbed


def _epochs(output: str) -> int:
    """How many epochs it says are over."""
    return len(re.findall(rf": epoch \d+/{EPOCHS} ", output))


def test_a_ticket_that_was_never_recorded_is_written_again_without_training(
    project: Project,
) -> None:
    """As if DVC had failed after the stage: its lock taken, its disk full, its power gone."""
    first = project.dvc(*REPRO, "--force", "--no-run-cache")
    undisturbed = _outputs(project)
    again = project.dvc(*REPRO, "--force", "--no-run-cache")
    assert f"epoch {EPOCHS}/{EPOCHS}" in first
    assert "going on from" in again
    assert "epoch" not in again
    assert _outputs(project) == undisturbed


def test_a_state_goes_when_the_next_round_has_its_ticket(project: Project) -> None:
    project.dvc(*REPRO, "--force", "--no-run-cache")
    assert _kept(project)
    project.dvc(*REPRO[:-1], ROUND.replace("round1", "round2"), "--force", "--no-run-cache")
    assert not _kept(project)


def test_a_round_that_was_to_prune_another_fraction_is_not_gone_on_with(project: Project) -> None:
    """Its rewind point and its parent are the same: only the mask tells."""
    project.dvc(*REPRO, "--force", "--no-run-cache")
    assert _kept(project)
    project.params({"imp": IMP | {"fraction": 0.5}})
    output = project.dvc(*REPRO)
    assert "going on from" not in output
    assert f"epoch {EPOCHS}/{EPOCHS}" in output


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the stage")
def test_a_stage_does_not_outlive_the_dvc_that_runs_it(project: Project) -> None:
    """Or it would go on beside the one that the next `dvc repro` starts."""
    mark = Mark()
    dvc = subprocess.Popen(
        ["dvc", *REPRO, "--force", "--no-run-cache"],
        cwd=project.root,
        env=project.env | mark.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert dvc.stdout is not None
    assert any("epoch" in line for line in dvc.stdout)
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()
    assert mark.left_after(10) == []
