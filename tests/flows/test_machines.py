"""Several machines that share a DVC remote, as README tells how to."""

from pathlib import Path

from flows.graph import read_graph
from tests.flows.toy import PARAMS, Toy


def machine(root: Path, seeds: str, remote: Path) -> Toy:
    toy = Toy(root, params=PARAMS.replace("seeds: [0, 1]", f"seeds: {seeds}"))
    toy.dvc("remote", "add", "-q", "-d", "store", str(remote))
    return toy


def test_what_other_machines_have_trained_is_fetched_and_not_trained_again(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    for seeds in ("[0]", "[1]"):
        toy = machine(tmp_path / seeds, seeds, remote)
        toy.dvc("repro", "-q", "aside", "imp")
        toy.dvc("push", "-q", "--run-cache")

    last = machine(tmp_path / "last", "[0, 1]", remote)
    last.dvc("repro", "-q", "--pull")
    assert last.ran() == ["table"]
    assert last.read("t0-0.txt") == "rewind\nsource\n"
    # Nor by the flow.
    assert not any(stage.stale for stage in read_graph(last.root).stages.values())
