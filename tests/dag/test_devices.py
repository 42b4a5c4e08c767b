"""`train.devices: 2`: a stage starts itself under torchrun, here as two processes on the CPU."""

import json
from pathlib import Path

from lp_core.tickets import Ticket
from tests.dag.project import TINY, Project


def test_a_round_trains_on_two_processes_and_leaves_one_ticket(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.params({"train": {**TINY["train"], "devices": 2}})
    output = project.run("dvc", "repro", "imp@base-0-round1")
    assert "torch.distributed.run" in output
    assert output.count("imp@base-0-round1: epoch 3/3") == 1, "one process tells"
    ticket = Ticket.load(tmp_path / "tickets/base/0/1.safetensors")
    assert ticket.density < 0.81
    assert ticket.meta["converged"]
    curves = json.loads((tmp_path / "rows/imp/base/0/1.json").read_text())["tables"]["curves"]
    assert [row["epoch"] for row in curves if row["split"] == "val"] == [1, 2]


def test_a_fault_on_two_processes_ends_the_stage_with_its_message(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.params({"train": {**TINY["train"], "devices": 2, "batch_size": 5000}})
    project.edit("params.yaml", "batch_size: 5000", "batch_size: 6000")
    output = project.run("dvc", "repro", "pretrain@base-0", check=False)
    assert "error: train.batch_size is 6000" in output
    assert "exited with 2" in output  # which torchrun, with a traceback of its own, makes 1
