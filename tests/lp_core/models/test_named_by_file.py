"""A ticket's file comes from anybody: what it names is a network, or it is not called."""

import sys
from pathlib import Path

import pytest
import torch

from lp_core.errors import InputError
from lp_core.models.architecture import Architecture
from lp_core.models.named_by_file import require_network
from lp_core.tickets import Ticket

META = {"name": "resnet8", "classes": ["a", "b"], "channels": 1, "size": 8, "mean": [0], "std": [1]}

OWN = """
import functools, os
from torch import nn
from torch.nn import Linear as Taken

class Net(nn.Module):
    @classmethod
    def small(cls): ...

def make(): ...

wide = functools.partial(make)
harmful = functools.partial(os.system)
"""


def test_no_command_in_a_ticket_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    network = META | {"name": "os:system", "arguments": {"command": f"touch {ran}"}}
    ticket = Ticket.from_state_dict({"a.weight": torch.ones(2, 2)}, meta={"network": network})
    ticket.save(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"os:system is no class of nn\.Module and no"):
        Ticket.load(tmp_path / "a.safetensors").network()
    assert not ran.exists()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "given_nets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "given_nets", raising=False)
    return "given_nets"


@pytest.mark.parametrize("attribute", ["Net", "Net.small", "make", "wide", "Taken", "nn.Linear"])
def test_networks_and_functions_of_the_users_own_are_named(own: str, attribute: str) -> None:
    require_network(f"{own}:{attribute}")


@pytest.mark.parametrize("attribute", ["harmful", "os.system", "nn.init.zeros_"])
def test_what_an_own_module_has_imported_is_not(own: str, attribute: str) -> None:
    with pytest.raises(InputError, match="a file cannot have it called"):
        require_network(f"{own}:{attribute}")


@pytest.mark.parametrize(
    "name",
    ["subprocess:run", "torch:load", "builtins:exec", "tasks.pool:main", "lp_core.faces:member"],
)
def test_functions_of_installed_packages_and_of_the_pipeline_are_not(name: str) -> None:
    with pytest.raises(InputError, match="a file cannot have it called"):
        require_network(name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", 3), ("classes", 2), ("classes", [1, 2]), ("channels", "1"), ("size", [8])),
        *(("size", "8"), ("mean", 0.5), ("arguments", [1]), ("stem", None)),
    ],
)
def test_a_field_of_another_kind_is_one_line(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"network: {field} is "):
        Architecture.of(META | {field: value})
