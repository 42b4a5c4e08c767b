"""What a clone must have in common with the coordinator: one line where it has not."""

import subprocess
from pathlib import Path

import pytest

from flows.agreement import agree, agreement
from flows.elsewhere import is_local
from flows.exchange import CloneExchange
from flows.processes import Commands
from flows.remote import load, open_repo
from lp_core.errors import InputError
from tests.flows.clones import Clones
from tests.flows.toy import Toy


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clones:
    return Clones(tmp_path, str(tmp_path / "remote"), Commands(), monkeypatch)


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def test_a_clone_like_the_coordinator_agrees(clones: Clones) -> None:
    agree(agreement(clones["here"].root, ()), clones["one"].root, Commands())


def test_another_commit_is_refused(clones: Clones) -> None:
    for name in ("here", "one"):
        root = clones[name].root
        git(root, "init", "-q")
        git(root, "commit", "-q", "--allow-empty", "-m", f"of {name}")
    with pytest.raises(InputError, match=r"one is at commit \w{10}, and the flow at \w{10}; bring"):
        agree(agreement(clones["here"].root, ()), clones["one"].root, Commands())


def test_other_params_are_refused_by_the_key_in_which_they_differ(clones: Clones) -> None:
    clones["one"].write("params.yaml", "train: {epochs: 3}\nparts: [a, b]\n")
    with pytest.raises(InputError, match=r"train\.epochs is 3 there and 2 in the flow's; copy"):
        agree(agreement(clones["here"].root, ()), clones["one"].root, Commands())


def test_another_dvc_yaml_is_refused(clones: Clones) -> None:
    clones["one"].write("dvc.yaml", "stages: {}\n")
    with pytest.raises(InputError, match=r"dvc\.yaml is not the flow's; copy"):
        agree(agreement(clones["here"].root, ()), clones["one"].root, Commands())


def test_other_code_is_refused_by_the_stages_that_it_concerns(clones: Clones) -> None:
    # `many` stands for the stage `code`: it writes a folder of fingerprints.
    clones["here"].dvc("repro", "-q", "base", "many")
    exchange = CloneExchange(clones["here"].root, ("base", "many"))
    agree(exchange.agreement, clones["one"].root, Commands())
    clones["one"].write("source.txt", "edited\n")
    with pytest.raises(InputError, match="other code than the flow at the same commit, for one; "):
        agree(exchange.agreement, clones["one"].root, Commands())


def test_another_remote_is_refused(clones: Clones, tmp_path: Path) -> None:
    clones["here"].dvc("repro", "-q", "base")
    exchange = CloneExchange(clones["here"].root, ("base",))
    one = clones["one"]
    one.write(".dvc/config.local", f"['remote \"between\"']\n    url = {tmp_path / 'mine'}\n")
    with pytest.raises(InputError, match=r"another DVC remote than the flow: it lacks base\.txt"):
        agree(exchange.agreement, one.root, Commands())


def test_a_clone_without_a_remote_is_refused(clones: Clones) -> None:
    one = clones["one"]
    one.write(".dvc/config", one.read(".dvc/config").replace("remote = between", ""))
    with pytest.raises(InputError, match="need a default DVC remote"):
        agree(agreement(clones["here"].root, ()), one.root, Commands())


MAKES_NOTHING = """\
stages:
  params:
    cmd: echo checked
    deps: [params.yaml]
  base:
    cmd: cp source.txt base.txt
    deps: [source.txt]
    outs: [base.txt]
"""


def test_a_first_stage_may_make_nothing_and_git_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, MAKES_NOTHING)
    toy.dvc("remote", "add", "-q", "-d", "between", str(tmp_path / "remote"))
    toy.dvc("repro", "-q", "params")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = agreement(toy.root, ("params",))
    assert found.made == {"params": {}}
    assert found.commit is None
    repo = open_repo(toy.root)
    try:
        assert not is_local(load(repo, ["base"])[0], [], toy.root)
    finally:
        repo.close()
