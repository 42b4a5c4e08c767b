"""The coordinator of a run with clones: what it sends out, and what it takes in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.states import Completed, Failed

from flows import lockfile
from flows.dvc import MISFIT, Outcome
from flows.graph import read_graph
from flows.processes import Commands
from flows.workspace import MisfitError
from lp_core.errors import InputError
from tests.flows.clones import STAGES, Clones
from tests.flows.toy import environment


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with Commands() as commands:
        commands.warm_up(environment())
        yield commands


@pytest.fixture
def clones(tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> Clones:
    return Clones(tmp_path, str(tmp_path / "remote"), commands, monkeypatch)


@pytest.fixture(scope="module")
def _done(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Path:
    folder = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as monkeypatch:
        clones = Clones(folder, str(folder / "remote"), commands, monkeypatch)
        assert clones.run_all("one", "two") == STAGES
        assert clones["here"].ran() == ["summary"]
        assert len(clones["one"].ran() + clones["two"].ran()) == len(STAGES) - 1
    return folder


@pytest.fixture
def done(clones: Clones, _done: Path) -> Clones:
    """Two clones have made everything, and nothing has been fetched in the end."""
    for name in ("here", "one", "two"):
        root = clones[name].root
        shutil.rmtree(root)
        shutil.copytree(_done / name, root)
        clones.configure(name)
    shutil.copytree(_done / "remote", clones.remote)
    return clones


def fetch(clones: Clones) -> None:
    exchange, graph = clones.exchange()
    exchange.finish(graph, {name: Completed() for name in graph.stages})


def test_what_clones_made_is_here_in_the_end_and_dvc_repro_does_nothing(done: Clones) -> None:
    here = done["here"]
    assert not (here.root / "many").exists()
    assert done.run_all("one") == []
    fetch(done)
    assert here.dvc("repro").count("didn't change, skipping") == len(STAGES)
    assert "up to date" in here.dvc("status")
    assert here.ran() == []


def test_what_was_fetched_is_found_again_when_params_are_switched_back(done: Clones) -> None:
    fetch(done)
    here = done["here"]
    here.write("params.yaml", here.read("params.yaml").replace("epochs: 2", "epochs: 3"))
    here.dvc("repro", "part@a")
    assert here.ran() == ["part-a"]
    here.write("params.yaml", here.read("params.yaml").replace("epochs: 3", "epochs: 2"))
    here.dvc("repro", "part@a")
    assert here.ran() == []


def test_a_stage_that_did_not_complete_is_not_fetched(done: Clones) -> None:
    exchange, graph = done.exchange()
    exchange.finish(graph, {"base": Completed(), "many": Failed()})
    assert (done["here"].root / "base.txt").exists()
    assert not (done["here"].root / "many").exists()


def test_a_coordinator_that_died_before_it_took_a_stage_in_does_not_have_it_made_again(
    clones: Clones,
) -> None:
    exchange, graph = clones.exchange()
    assert clones.run(exchange, graph, "base", "one").outcome is Outcome.RAN
    exchange, graph = clones.exchange()  # another one, that knows nothing of it
    assert graph.stages["base"].stale
    assert clones.run(exchange, graph, "base", "two").outcome is Outcome.RESTORED
    assert clones["two"].ran() == []


def test_what_the_remote_has_lost_is_made_again(done: Clones) -> None:
    (entry,) = lockfile.entries(done["here"].root / "dvc.lock")["part@b"]["outs"]
    done.objects()[entry["md5"]].unlink()
    graph = read_graph(done["here"].root, clones=True)
    stale = [name for name, stage in graph.stages.items() if stage.stale]
    assert stale == ["base", "part@a", "part@b", "many"]  # files of one content
    done.run_all("one", "two")
    assert entry["md5"] in done.objects()
    assert done["one"].ran() + done["two"].ran() == []  # it was in the clones' caches


def test_what_was_edited_here_is_not_taken_for_what_the_remote_has(done: Clones) -> None:
    done["here"].write("base.txt", "edited\n")
    graph = read_graph(done["here"].root, clones=True)
    assert [name for name, stage in graph.stages.items() if stage.stale] == ["base"]
    done.run_all("one")
    assert not (done["here"].root / "base.txt").exists()
    fetch(done)
    assert done["here"].read("base.txt") == "source\n"


def test_a_part_of_a_folder_is_as_good_as_none(done: Clones) -> None:
    done["here"].write("parts/a.txt", "source\n")
    assert done.run_all("one") == []


def test_only_stages_downstream_of_an_edit_are_stale(done: Clones) -> None:
    here = done["here"]
    for name in ("here", "one", "two"):
        done[name].write("params.yaml", here.read("params.yaml").replace("[a, b]", "[a, b, c]"))
    assert done.run_all("one", "two") == ["part@c", "join"]
    assert done["one"].ran() + done["two"].ran() == ["part-c", "join"]


def test_what_unchanged_stages_made_before_goes_to_the_remote_where_a_stale_one_needs_it(
    clones: Clones,
) -> None:
    here = clones["here"]
    here.dvc("repro", "-q", "part@a", "many")
    here.ran()
    assert clones.run_all("one") == ["part@b", "join", "summary"]
    assert clones["one"].ran() == ["part-b", "join"]


def test_an_old_result_does_not_lie_beside_the_entry_of_a_new_one(clones: Clones) -> None:
    here = clones["here"]
    here.dvc("repro", "-q", "part@a")
    for name in ("here", "one"):
        clones[name].write("source.txt", "newer\n")
    exchange, graph = clones.exchange()
    exchange.take_in("base", clones.run(exchange, graph, "base", "one").made)
    assert not (here.root / "base.txt").exists()
    assert (here.root / "parts/a.txt").exists()  # until its own stage has run


def test_an_entry_that_was_built_on_something_else_is_refused(clones: Clones) -> None:
    clones["one"].write("source.txt", "another\n")
    exchange, graph = clones.exchange()
    assert clones.run(exchange, graph, "base", "one").status == MISFIT
    assert clones["one"].ran() == []
    made = clones.do("one", "base", {}).made  # as if it had been edited later
    with pytest.raises(MisfitError, match=r"built on another source\.txt than is recorded"):
        exchange.take_in("base", made)
    assert not (clones["here"].root / "dvc.lock").exists()


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "source.txt"])
def test_no_stage_goes_out_once_the_project_is_not_what_workers_have(
    clones: Clones, name: str
) -> None:
    exchange, graph = clones.exchange()
    base = graph.stages["base"]
    assert exchange.inputs(base).sources.keys() == {"source.txt"}
    before = clones["here"].read(name)
    clones["here"].write(name, f"{before}# edited\n")
    with pytest.raises(InputError, match=rf"^{name} was edited while the flow ran"):
        exchange.inputs(base)
    clones["here"].write(name, before)
    assert exchange.inputs(base).sources.keys() == {"source.txt"}


def test_an_entry_of_another_folder_is_refused(clones: Clones) -> None:
    exchange, graph = clones.exchange()
    for stage in ("base", "part@a", "part@b", "many"):
        exchange.take_in(stage, clones.run(exchange, graph, stage, "one").made)
    made = clones.run(exchange, graph, "join", "one").made
    other = {"parts": {"md5": f"{0:032}.dir"}}
    deps = [{**dep, **other.get(dep["path"], {})} for dep in made["deps"]]
    with pytest.raises(MisfitError, match="another parts than"):
        exchange.take_in("join", {**made, "deps": deps})


def test_an_entry_of_another_command_is_refused(clones: Clones) -> None:
    one = clones["one"]
    exchange, graph = clones.exchange()
    made = clones.run(exchange, graph, "base", "one").made
    with pytest.raises(MisfitError, match="another command"):
        exchange.take_in("base", {**made, "cmd": "echo"})
    with pytest.raises(MisfitError, match="without some of its outputs"):
        exchange.take_in("base", {**made, "outs": []})
    assert one.ran() == ["base"]


def test_an_entry_whose_outputs_did_not_reach_the_remote_is_refused(clones: Clones) -> None:
    exchange, graph = clones.exchange()
    made = clones.run(exchange, graph, "base", "one").made
    shutil.rmtree(clones.remote)  # as if the clone had another one
    with pytest.raises(MisfitError, match="not in the DVC remote"):
        exchange.take_in("base", made)


def test_a_folder_with_what_no_stage_makes_any_more_is_refused_before_anything_runs(
    done: Clones,
) -> None:
    fetch(done)
    here = done["here"]
    here.write("params.yaml", here.read("params.yaml").replace("[a, b]", "[a]"))
    here.write("source.txt", "newer\n")
    with pytest.raises(InputError, match=r"^parts/b.txt: no stage makes it any more, but join "):
        done.exchange()


def test_a_clone_gets_what_a_stage_reads_of_a_chain_of_which_it_depends_on_the_end(
    clones: Clones,
) -> None:
    for name in ("here", "one", "two"):
        clones[name].write(
            "dvc.yaml",
            """\
stages:
  first: {cmd: mkdir -p chain; cp source.txt chain/first, deps: [source.txt], outs: [chain/first]}
  second: {cmd: cat chain/first > chain/second, deps: [chain/first], outs: [chain/second]}
  third: {cmd: cat chain/second > chain/third, deps: [chain/second], outs: [chain/third]}
  reader:
    cmd: cat chain/first chain/third > read.txt
    deps: [chain/third]
    meta: {reads: [chain]}
    outs: [read.txt]
""",
        )
    assert clones.run_all("one", "one", "one", "two") == ["first", "second", "third", "reader"]
    assert clones["two"].read("read.txt") == "source\n" * 2
    clones["two"].write("chain/first", "old\n")
    shutil.rmtree(clones["here"].root / "chain", ignore_errors=True)
    exchange, graph = clones.exchange()
    assert clones.run(exchange, graph, "reader", "two").outcome is Outcome.UNCHANGED
    assert clones["two"].read("chain/first") == "source\n"


def test_which_stages_run_in_the_coordinators_workspace(clones: Clones, tmp_path: Path) -> None:
    here = clones["here"]
    (tmp_path / "raw").write_text("raw")
    here.write(
        "dvc.yaml",
        "stages:\n"
        "  raw: {cmd: cp ../raw raw.txt, deps: [../raw], outs: [raw.txt]}\n"
        "  made: {cmd: cp raw.txt made.txt, deps: [raw.txt], outs: [made.txt]}\n"
        "  kept: {cmd: cp raw.txt kept, deps: [raw.txt], outs: [kept: {cache: false}]}\n"
        "  shown: {cmd: make, deps: [raw.txt], outs: [results/summary.md]}\n",
    )
    graph = read_graph(here.root, clones=True)
    assert [n for n, stage in graph.stages.items() if stage.local] == ["raw", "kept", "shown"]


def test_a_remote_that_does_not_answer_is_said_before_anything_runs(done: Clones) -> None:
    shutil.rmtree(done.remote)
    Path(done.remote).write_text("")  # no folder
    done["here"].write("source.txt", "newer\n")
    with pytest.raises(InputError, match="cannot "):
        done.exchange()
