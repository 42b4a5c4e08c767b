"""Several processes of one stage, started by torchrun: how they end is how the stage ends."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lp_core.tiny import ROOT

STAGE = """
import os, sys
from argparse import Namespace
from pathlib import Path
from lp_core.errors import InputError
from tasks.kit.torchrun import under_torchrun

def main(arguments):
    rank = os.environ.get("RANK", "alone")
    Path(f"ran-{rank}").touch()
    if len(sys.argv) > 1 and rank == "1":
        raise {"bad-input": InputError("tickets/x: no such\\nticket"), "fault": OSError("disk"),
               "mistake": ValueError("unpacking")}[sys.argv[1]]

if __name__ == "__main__":
    try:
        under_torchrun(main)(Namespace(variant="base"))
    except InputError as error:
        sys.exit(f"bad input: {error}" if "RANK" in os.environ else 2)
"""


def _run(folder: Path, devices: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    train: dict[str, Any] = {"epochs": 1, "batch_size": 4, "momentum": 0.9, "weight_decay": 0.0}
    train |= {"schedule": {"lr": 0.1}, "augment": {}, "devices": devices}
    params = {"train": train, "variants": {"base": {}}}
    (folder / "params.yaml").write_text(json.dumps(params))
    (folder / "stage.py").write_text(STAGE)
    return subprocess.run(
        [sys.executable, "-m", "stage", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("argument", "code"), [("", 0), ("bad-input", 2), ("fault", 1), ("mistake", 1)]
)
def test_two_processes_end_as_the_stage_would_alone(tmp_path, argument, code):
    done = _run(tmp_path, 2, *filter(None, [argument]))
    assert done.returncode == code, done.stderr
    ran = {path.name for path in tmp_path.glob("ran-*")}
    assert "ran-1" in ran <= {"ran-0", "ran-1"}  # torchrun may have ended the other before


def test_one_device_needs_no_torchrun(tmp_path):
    done = _run(tmp_path, 1)
    assert (done.returncode, done.stdout) == (0, "")
    assert [path.name for path in tmp_path.glob("ran-*")] == ["ran-alone"]
