"""Clones with an SSH server between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.dvc import TRANSFER_FAILED, Outcome
from flows.processes import Commands
from tests.flows.clones import STAGES, Clones
from tests.flows.ssh_server import ssh_server
from tests.flows.toy import environment


@pytest.fixture
def commands() -> Iterator[Commands]:
    with Commands() as commands:
        commands.warm_up(environment())
        yield commands


def test_clones_exchange_through_an_ssh_server(
    tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "remote"
    with ssh_server() as address:
        clones = Clones(tmp_path, f"{address}{folder}", commands, monkeypatch)
        assert clones.run_all("one", "two") == STAGES
        exchange, graph = clones.exchange()
        assert not any(stage.stale for stage in graph.stages.values())

        # Half an object, as a server with a full disk may leave it.
        (entry,) = exchange.inputs(graph.stages["part@a"]).entries["base"]["outs"]
        path = folder / "files" / "md5" / entry["md5"][:2] / entry["md5"][2:]
        path.chmod(0o644)
        path.write_text("sou")
        clones["three"].write("source.txt", "source\n")
        said = clones.run(exchange, graph, "part@a", "three")
        assert said.status == TRANSFER_FAILED
        assert clones.run(exchange, graph, "base", "one").outcome is Outcome.UNCHANGED
        assert path.read_text() == "source\n"
        assert clones.run(exchange, graph, "part@a", "three").outcome is Outcome.RESTORED
    said = clones.run(exchange, graph, "part@a", "four")
    assert said.status == TRANSFER_FAILED
    assert said.transcript.fault(said.status)[1].startswith("part@a: cannot fetch base.txt: ")
