"""What `--help` says of every flow."""

import pytest

from flows.serve import FLOWS
from tests.options import options

COMMANDS = ["flows.serve", *(f"flows.{flow.name.replace('-', '_')}" for flow in FLOWS)]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.filterwarnings("ignore")  # of a flow that is made twice in one process
def test_every_option_is_explained(command, monkeypatch):
    explained = options(command, monkeypatch)
    assert explained
    assert [name for name, told in explained.items() if not told] == []
