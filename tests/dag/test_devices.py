"""`train.devices: 2`: a stage starts itself under torchrun, here as two processes on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from lp_core.tickets import Ticket
from tests.dag.project import TINY, Project


def test_a_round_trains_on_two_processes_and_leaves_one_ticket(project: Project) -> None:
    project.params({"train": {**TINY["train"], "devices": 2}})
    output = project.dvc("repro", "--single-item", "imp@base-0-round1")
    assert "torch.distributed.run" in output
    assert output.count("imp@base-0-round1: epoch 3/3") == 1, "one process tells"
    ticket = Ticket.load(project.root / "tickets/base/0/1.safetensors")
    assert ticket.density < 0.81
    assert ticket.meta["converged"]
    curves = json.loads((project.root / "rows/imp/base/0/1.json").read_text())["tables"]["curves"]
    assert [row["epoch"] for row in curves if row["split"] == "val"] == [1, 2]


def test_a_fault_on_two_processes_ends_the_stage_with_its_message(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.params({"train": {**TINY["train"], "devices": 2, "batch_size": 5000}})
    project.edit("params.yaml", "batch_size: 5000", "batch_size: 6000")
    output = project.dvc("repro", "pretrain@base-0", check=False)
    assert "error: train.batch_size is 6000" in output
    assert "exited with 2" in output  # which torchrun, with a traceback of its own, makes 1


def test_the_processes_of_a_killed_torchrun_write_no_ticket(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.params({"train": {**TINY["train"], "devices": 2, "epochs": 400}})
    project.params({"rewind": {"mode": "fixed", "epochs": 300}})
    project.repro("dataset@digits", "code")
    stage = subprocess.Popen(
        [sys.executable, "-m", "tasks.pretrain", "--variant", "base", "--seed", "0"],
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert stage.stdout is not None
    assert any("epoch 2/" in line for line in stage.stdout)
    below = psutil.Process(stage.pid).children(recursive=True)
    (torchrun,) = (p for p in below if "torch.distributed.run" in p.cmdline())
    workers = torchrun.children(recursive=True)
    assert len(workers) >= 2
    torchrun.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]
    assert stage.wait(20) != 0
    assert not (project.root / "tickets/base/0/rewind.safetensors").exists()
