"""One stage in a clone of the project: what it takes in, what it leaves in the remote."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.dvc import MISFIT, TRANSFER_FAILED, Fault, Outcome
from flows.processes import Commands
from tests.flows.clones import Clones
from tests.flows.toy import environment


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with Commands() as commands:
        commands.warm_up(environment())
        yield commands


@pytest.fixture
def clones(tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> Clones:
    return Clones(tmp_path, str(tmp_path / "remote"), commands, monkeypatch)


def test_a_clone_fetches_what_a_stage_builds_on_and_pushes_what_it_makes(clones: Clones) -> None:
    entries = clones.make("one", "base")
    said = clones.do("two", "part@a", entries)
    assert said.outcome is Outcome.RAN
    assert clones["two"].ran() == ["part-a"]
    assert clones["two"].read("parts/a.txt") == "source\n"
    assert said.made["outs"][0]["md5"] in clones.objects()
    assert len(clones.runs()) == 2


def test_what_one_clone_has_made_no_other_makes_again(clones: Clones) -> None:
    entries = clones.make("one", "base", "many")
    assert clones.do("two", "many", {"base": entries["base"]}).outcome is Outcome.RESTORED
    assert clones["two"].ran() == []
    assert clones["two"].read("many/two") == "two\n"
    assert clones.do("two", "many", {"base": entries["base"]}).outcome is Outcome.UNCHANGED


def test_force_makes_it_again(clones: Clones) -> None:
    entries = clones.make("one", "base")
    assert clones.do("two", "base", {}, force=True).outcome is Outcome.RAN
    assert entries["base"] == clones.make("two")["base"]


def test_only_the_stages_own_runs_travel(clones: Clones) -> None:
    clones.make("one", "base", "part@a", "many")
    before = {path: path.stat().st_mtime_ns for path in clones.runs()}
    clones.make("two", "part@b", source="one")
    after = {path: path.stat().st_mtime_ns for path in clones.runs()}
    assert len(after) == 4
    assert before.items() < after.items()
    assert len(list((clones["two"].root / ".dvc/cache/runs").rglob("*/*/*"))) == 1


def test_what_lies_otherwise_in_a_clone_is_replaced_before_the_stage_runs(clones: Clones) -> None:
    clones["two"].write("source.txt", "older\n")
    clones.make("two", "base")  # dvc.lock there, too, says that base.txt is this
    clones["two"].write("source.txt", "source\n")
    said = clones.do("two", "part@a", clones.make("one", "base"))
    assert "Fetched base.txt" in said.lines
    assert clones["two"].read("parts/a.txt") == "source\n"


def test_a_folder_that_a_stage_depends_on_holds_what_the_coordinators_stages_make(
    clones: Clones,
) -> None:
    clones["two"].write("params.yaml", "train: {epochs: 2}\nparts: [a, b, c]\n")
    clones.make("two", "base", "part@c")
    clones["two"].write("params.yaml", clones["one"].read("params.yaml"))
    entries = clones.make("one", "base", "part@a", "part@b", "many", "join")
    mine = {name: entries[name] for name in ("base", "part@a", "part@b", "many")}
    said = clones.do("two", "join", mine, tidy=True, force=True)
    assert said.made == entries["join"]
    assert not (clones["two"].root / "parts/c.txt").exists()


def test_a_file_of_ones_own_in_such_a_folder_is_neither_used_nor_removed(clones: Clones) -> None:
    entries = clones.make("one", "base", "part@a", "part@b", "many")
    clones["two"].write("parts/mine.txt", "mine\n")
    said = clones.do("two", "join", entries, tidy=True)
    assert said.transcript.fault(said.status) == (
        Fault.MISFIT,
        f"join: {clones['two'].root / 'parts/mine.txt'}: no stage makes it, but join depends on "
        "its folder; remove it and run again",
    )
    assert clones["two"].ran() == []
    assert clones["two"].read("parts/mine.txt") == "mine\n"


def test_what_the_remote_has_lost_is_no_fault_of_the_stage(clones: Clones) -> None:
    entries = clones.make("one", "base")
    for path in clones.objects().values():
        path.unlink()
    said = clones.do("two", "part@a", entries)
    assert said.status == TRANSFER_FAILED
    assert said.transcript.fault(said.status) == (
        Fault.FAILED,
        "part@a: the DVC remote does not have base.txt",
    )
    assert clones["two"].ran() == []


def test_half_an_object_in_the_remote_is_put_again(clones: Clones) -> None:
    entries = clones.make("one", "base")
    (path,) = clones.objects().values()
    path.chmod(0o644)
    path.write_text("sou")
    assert clones.do("two", "part@a", entries).status == TRANSFER_FAILED
    assert clones.do("one", "base", {}).outcome is Outcome.UNCHANGED
    assert path.read_text() == "source\n"
    assert clones.do("two", "part@a", entries).outcome is Outcome.RAN


def test_a_lost_file_of_a_folder_is_put_again_though_its_listing_is_there(clones: Clones) -> None:
    entries = clones.make("one", "base", "many")
    oid = "c193497a1a06b2c72230e6146ff47080"  # of many/two
    clones.objects()[oid].unlink()
    assert clones.do("one", "many", {"base": entries["base"]}).outcome is Outcome.UNCHANGED
    assert oid in clones.objects()


def test_a_clone_that_no_longer_fits_runs_nothing(clones: Clones) -> None:
    entries = clones.make("one", "base")
    files = {"params.yaml": b"train: {epochs: 3}\nparts: [a, b]\n"}
    said = clones.do("two", "part@a", entries, files=files)
    assert said.status == MISFIT
    fault, line = said.transcript.fault(said.status)
    assert fault is Fault.MISFIT
    assert line == (
        f"part@a: {clones['two'].root / 'params.yaml'} is no longer the flow's; put it back and "
        "start the worker again"
    )
    assert clones["two"].ran() == []


@pytest.mark.parametrize("content", ["edited\n", None])
def test_a_source_that_is_not_the_flows_is_found_before_the_stage_runs(
    clones: Clones, content: str | None
) -> None:
    sources = {"source.txt": "a50fbf9fe847b7dd34a032b206c1d45c"}
    assert clones.do("one", "base", {}, sources=sources).outcome is Outcome.RAN
    path = clones["two"].root / "source.txt"
    path.write_text(content) if content else path.unlink()
    said = clones.do("two", "base", {}, sources=sources)
    fault, line = said.transcript.fault(said.status)
    assert fault is Fault.MISFIT
    found = "is not the flow's" if content else "is not there"
    assert line.startswith(f"base: {path} {found}, and base depends on it; `git status` shows ")
    assert clones["two"].ran() == []


def test_what_a_killed_dvc_has_left_in_a_clone_is_mended(clones: Clones) -> None:
    entries = clones.make("one", "base", "part@a")
    clones.make("two", "part@a", source="one")
    two = clones["two"]
    whole = two.read("dvc.lock")
    two.write("dvc.lock", whole[: len(whole) // 2])
    two.write(".dvc/tmp/rwlock", '{"wri')
    said = clones.do("two", "part@a", {"base": entries["base"]}, tidy=True)
    assert said.outcome is not Outcome.RAN
    assert two.read("dvc.lock") == whole


def test_a_stage_that_fails_fails_as_in_dvc_repro_and_pushes_nothing(clones: Clones) -> None:
    clones["one"].write(
        "dvc.yaml", clones["one"].read("dvc.yaml").replace("cp source.txt", "false")
    )
    said = clones.do("one", "base", {})
    assert said.transcript.fault(said.status)[0] is Fault.FAILED
    assert clones.objects() == {}


def test_without_a_remote_nothing_runs(clones: Clones) -> None:
    toy = clones["one"]
    toy.write(".dvc/config", toy.read(".dvc/config").replace("remote = between", ""))
    said = clones.do("one", "base", {})
    assert said.status == MISFIT
    assert "`dvc remote add --default NAME URL`" in said.lines[-1]
    assert toy.ran() == []
