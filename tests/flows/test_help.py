"""What `--help` says of every flow."""

import os
import subprocess
import sys

import pytest

from flows.serve import FLOWS
from tasks.kit.code import PROJECT
from tests.options import options

COMMANDS = ["flows.serve", *(f"flows.{flow.name.replace('-', '_')}" for flow in FLOWS)]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.filterwarnings("ignore")  # of a flow that is made twice in one process
def test_every_option_is_explained(command, monkeypatch):
    explained = options(command, monkeypatch)
    assert explained
    assert [name for name, told in explained.items() if not told] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_no_name_is_broken_where_a_line_ends(command):
    told = subprocess.run(
        [sys.executable, "-m", command, "--help"],
        cwd=PROJECT,
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in told.stdout.splitlines() if line.endswith("-")] == []
