import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows import command_line, dry_run, processes
from flows.command_line import main
from flows.dry_run import Plan
from flows.durations import Durations
from flows.graph import Graph, Stage, read_graph
from flows.resources import Slots
from tests.flows.everything import everything
from tests.flows.toy import PARAMS, Toy


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> Iterator[None]:
        raise AssertionError("a server was started")

    monkeypatch.setattr(command_line, "server_or_temporary", refuse)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command line prints, and its exit code if it is not 0."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["everything", "--dry-run", *arguments])
        try:
            main(everything)
        except SystemExit as ended:
            captured = capsys.readouterr()
            return f"{ended.code}: {captured.out}{captured.err}"
        return capsys.readouterr().out

    return run


def know(toy: Toy, seconds: dict[str, float]) -> None:
    durations = Durations(toy.root)
    for stage, each in seconds.items():
        durations.note(stage, each)
    durations.save()


def files(root: Path) -> dict[str, bytes]:
    """What lies in the project, but for locks and what DVC remembers of files."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not {"tmp", "site"} & set(path.relative_to(root).parts)
    }


def test_a_dry_run_tells_what_would_run_and_leaves_everything_as_it_is(
    done_toy: Toy, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = done_toy

    def refuse(*_: object) -> int:
        raise AssertionError("a command was started")

    monkeypatch.setattr(processes.Commands, "run", refuse)
    assert told() == "everything: 7 stages, all up to date\n"

    know(toy, {f"imp@{seed}-round{n}": 3600.0 for seed in (0, 1) for n in (0, 1)} | {"table": 60.0})
    toy.write("params.yaml", PARAMS.replace("epochs: 2", "epochs: 3"))
    before = files(toy.root)
    assert told("--max-parallel", "2") == (
        "everything: 7 stages, of which 4 would run, 1 may run (they build on those) and 2 are up "
        "to date\n\n"
        "stage  would run  may run  up to date  each, last time  together\n"
        "base           ·        ·           1\n"
        "imp            4        ·           ·           60 min       4 h\n"
        "table          ·        1           ·             60 s      60 s\n"
        "aside          ·        ·           1\n\n"
        "One after the other: 4 h 1 min; 2 at once: about 2 h 1 min; the longest chain: 61 min "
        "(imp@0-round1, table)\n"
        "What DVC's run cache has is restored and does not run.\n"
    )
    assert "3 stages, of which 2 would run" in told("--targets", "imp@0-*")
    assert "7 would run, 0 may run" in told("--force")
    assert "Not counted, for none has run here yet: base, aside\n" in told("--force")
    assert files(toy.root) == before


def test_what_only_the_cache_has_lost_is_up_to_date(
    done_toy: Toy, told: Callable[..., str]
) -> None:
    import shutil

    shutil.rmtree(done_toy.root / ".dvc" / "cache" / "files")
    (done_toy.root / "aside.txt").unlink()
    before = files(done_toy.root)
    assert "7 stages, of which 1 would run, 0 may run" in told()
    assert files(done_toy.root) == before  # a run would put it back
    assert [s.name for s in read_graph(done_toy.root).stages.values() if s.stale] == ["aside"]


@pytest.mark.usefixtures("toy")
def test_more_at_once_than_there_are_stages_is_as_many_as_there_are(
    told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    class Counted(Slots):
        def __init__(self, count: int | None, devices: int) -> None:
            counts.append(count)
            super().__init__(1, [], devices)

    monkeypatch.setattr(dry_run, "Slots", Counted)
    for asked in ("2", "7", "100000", "9" * 20):
        told("--max-parallel", asked)
    assert counts == [2, 7, 7, 7]


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("asked", ["0", "-1", "x", "1.5", ""])
def test_a_number_of_stages_at_once_is_1_or_more(asked: str, told: Callable[..., str]) -> None:
    said = told("--max-parallel", asked)
    assert said.startswith("2: error: argument --max-parallel: ")
    assert said.count("\n") == 1


def test_a_dry_run_sets_no_params(toy: Toy, told: Callable[..., str]) -> None:
    assert told("--set", "train.epochs=5").startswith(
        "2: error: --set: a dry run changes no params"
    )
    assert toy.read("params.yaml") == PARAMS


def test_what_a_run_would_refuse_a_dry_run_does(toy: Toy, told: Callable[..., str]) -> None:
    assert told("--targets", "pool").startswith("2: error: targets: 'pool' matches no stage")
    toy.write("dvc.lock", "schema: '2.0'\nstages:\n  ba")
    assert told().startswith("2: error: dvc.lock: cut short")
    toy.write("dvc.lock", "schema: [\n")
    assert told().startswith("2: error: DVC cannot read the graph")
    toy.write("params.yaml", "train:\n  epochs: -1\n")
    assert told().startswith("2: error: params.yaml: train.epochs must not")


FIRST = """\
stages:
  params:
    cmd: >-
      grep -q 'epochs: 99' params.yaml && echo error: too many && exit 2; echo valid > valid.txt
    deps: [params.yaml]
    outs: [valid.txt]
  code:
    cmd: mkdir -p code; cp source.txt code/one; echo same > code/two
    deps: [source.txt, valid.txt]
    outs: [code]
  one:
    cmd: cat code/one > one.txt
    deps: [code/one]
    outs: [one.txt]
  two:
    cmd: echo 2 > two.txt
    deps: [code/two]
    outs: [two.txt]
"""


def test_after_an_edit_of_the_code_a_dry_run_knows_what_it_concerns(
    make_toy: Callable[..., Toy], told: Callable[..., str]
) -> None:
    toy = make_toy(FIRST)
    toy.dvc("repro", "-q")
    toy.write("source.txt", "edited\n")
    lines = told().splitlines()
    assert lines[0] == "Running code first: only then it shows what else is stale"
    assert lines[1].startswith("everything: 4 stages, of which 1 would run, 0 may run")
    assert lines[6].split() == ["one", "1", "·", "·"]
    assert toy.read("one.txt") == "source\n"

    toy.write("params.yaml", PARAMS.replace("epochs: 2", "epochs: 99"))
    found = told()
    assert found.startswith("2: Running params first")
    assert "error: too many" in found


def test_siblings_stand_for_stages_that_never_ran_here() -> None:
    stages = {
        name: Stage(name, (), (), stale=True) for name in ("imp@0", "imp@1", "imp@2", "ood@0")
    }
    plan = Plan.of(Graph(Path(), stages), {"imp@0": 60.0, "imp@old": 120.0})
    assert plan.seconds == {"imp@0": 60.0, "imp@1": 90.0, "imp@2": 90.0}
    assert plan.runs == tuple(stages)


def test_a_long_chain_is_told_by_its_ends() -> None:
    names = [f"imp@{n}" for n in range(100)]
    stages = {
        name: Stage(name, (names[n - 1],) if n else (), (), stale=True)
        for n, name in enumerate(names)
    }
    plan = Plan.of(Graph(Path(), stages), {"imp@0": 1.0})
    (line,) = (line for line in plan.lines("imp-pool", 1) if "longest chain" in line)
    assert line.endswith("imp@5, imp@6, … (92 more), imp@99)")
