"""A stage whose code or parameters are not those that DVC knows does not end well."""

import json
import sys
import types
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.kit import code, guard, paths
from tasks.kit.cli import run
from tasks.kit.params import READ, Params

PARAMS: dict[str, Any] = {
    "train": {"lr": 0.1, "drops": [4, 6]},
    "pooling": {"scoring": {"search": "exact"}},
    "imp": {"fraction": 0.2, "rounds": [{"ticket": 0, "parent": "rewind"}]},
    "variants": {"base": {}, "slow": {"train": {"lr": 0.01}}},
}
STALE = "lp_core/loop.py is not what code/imp.json was made from"
CHANGED = "lp_core/loop.py changed while this ran; the result is of the old code; run again"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one stage, `imp`, that imports `lp_core/loop.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.delenv("RANK", raising=False)
    files = {
        "lp_core/__init__.py": "",
        "lp_core/loop.py": "rate = 1\n",
        "lp_core/snow.py": "flakes = 1\n",
        "tasks/__init__.py": "",
        "tasks/imp.py": "from lp_core.loop import rate\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(
        guard, "fingerprint", lambda modules, files=(): code.fingerprint(modules, tmp_path, files)
    )
    monkeypatch.setattr(guard, "PROJECT", tmp_path)
    _record()
    return tmp_path


def _record() -> None:
    """As the stage `code` does."""
    modules = ["tasks.imp"]
    paths.code("imp").parent.mkdir(exist_ok=True)
    files = guard.fingerprint(modules)
    content = {"entries": [], "modules": modules, "reads": [], "files": files}
    paths.code("imp").write_text(json.dumps(content))


def _write(changes: dict[str, Any]) -> None:
    Path("params.yaml").write_text(json.dumps(PARAMS | changes))  # JSON is YAML


def _ended(
    read: Callable[[], Any], edit: Callable[[], Any], names: tuple[str, ...] = ("imp",)
) -> tuple[int, list[str]]:
    """Exit code and last words of a stage that reads, then has something edited under it."""
    READ.clear()
    _write({})

    def main(_: Namespace) -> None:
        read()
        edit()

    try:
        run(main, code=names)
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code, []
        return 1, str(end.code).splitlines()  # as Python ends with a message
    return 0, []


def _train(variant: str = "base") -> None:
    Params(variant).section("train", dict[str, Any])


def _edit(text: str, file: str = "lp_core/loop.py") -> None:
    Path(file).write_text(text)


# Code ---------------------------------------------------------------------------------------------


def test_code_that_is_what_dvc_knows_is_run() -> None:
    assert _ended(_train, lambda: None) == (0, [])


def test_an_edit_that_dvc_has_not_seen_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """`dvc repro --single-item` after an edit does not bring code/imp.json up to date."""
    _edit("rate = 2\n")
    ran: list[int] = []
    assert _ended(lambda: ran.append(1), lambda: None) == (2, [])
    assert STALE in capsys.readouterr().err
    assert not ran
    _record()
    assert _ended(lambda: ran.append(1), lambda: None) == (0, [])


@pytest.mark.parametrize("text", ["rate = 1  # why\n", '"""How fast."""\nrate = (\n    1\n)\n'])
def test_an_edit_without_meaning_is_none_before_or_while_the_stage_runs(text: str) -> None:
    assert _ended(_train, lambda: _edit(text)) == (0, [])
    assert _ended(_train, lambda: None) == (0, [])


def test_an_edit_while_the_stage_runs_fails_it_and_names_the_file() -> None:
    assert _ended(_train, lambda: _edit("rate = 2\n")) == (1, [CHANGED])


def test_so_does_one_that_the_stage_code_has_seen_meanwhile() -> None:
    def edit() -> None:
        _edit("rate = 2\n")
        _record()

    assert _ended(_train, edit) == (1, [CHANGED])


def test_an_edit_that_was_taken_back_leaves_the_result_what_it_is() -> None:
    def edit() -> None:
        _edit("rate = 2\n")
        _edit("rate = 1\n")

    assert _ended(_train, edit) == (0, [])


def test_code_that_the_stage_does_not_run_may_change() -> None:
    assert _ended(_train, lambda: _edit("flakes = 2\n", "lp_core/snow.py")) == (0, [])


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"modules": ["tasks.imp"]}'])
def test_a_fingerprint_that_is_not_there_is_bad_input(
    text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    paths.code("imp").unlink()
    if text is not None:
        paths.code("imp").write_text(text)
    assert _ended(_train, lambda: None) == (2, [])
    assert "code/imp.json: not there or not a fingerprint; run" in capsys.readouterr().err


def test_a_registry_that_leads_elsewhere_than_when_the_fingerprint_was_made_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stub is no Python source: another module behind the same name must not go unnoticed."""
    content = json.loads(paths.code("imp").read_text())
    paths.code("imp").write_text(json.dumps(content | {"entries": [["lp_core.nets", "resnet8"]]}))
    monkeypatch.setattr(guard, "module_of", lambda *_: "tasks.imp")
    assert _ended(_train, lambda: None) == (0, [])
    monkeypatch.setattr(guard, "module_of", lambda *_: "lp_core.snow")
    assert _ended(_train, lambda: None)[0] == 2
    assert "is not what code/imp.json was made from" in capsys.readouterr().err


def test_a_file_that_was_loaded_behind_the_fingerprints_back_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through `importlib`, say, which nobody can see in the source."""
    module = types.ModuleType("lp_core.snow")
    module.__file__ = str(root / "lp_core" / "snow.py")

    def load() -> None:
        monkeypatch.setitem(sys.modules, "lp_core.snow", module)

    code, lines = _ended(load, lambda: None)
    assert code == 1
    assert lines[0].startswith("lp_core/snow.py was loaded, but no fingerprint of this stage holds")


# Parameters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ({"lr": 0.2, "drops": [4, 6]}, ["train.lr changed from 0.1 to 0.2"]),
        ({"lr": 0.1, "drops": [4, 7]}, ["train.drops.1 changed from 6 to 7"]),
        ({"lr": 0.1, "drops": [4]}, ["train.drops.1 changed from 6 to nothing"]),
        ({"lr": 0.1, "drops": [4, 6], "x": 1}, ["train.x changed from nothing to 1"]),
        ({"lr": 0.1, "drops": 4}, ["train.drops changed from [4, 6] to 4"]),
        (
            {"lr": 0.2, "drops": [4, 7]},
            ["train.lr changed from 0.1 to 0.2", "train.drops.1 changed from 6 to 7"],
        ),
        ({"drops": [4, 6], "lr": 1e-1}, []),
    ],
)
def test_each_parameter_that_changed_is_named_with_both_values(
    train: dict[str, Any], told: list[str]
) -> None:
    _, lines = _ended(_train, lambda: _write({"train": train}))
    assert lines == [
        f"params.yaml: {change} while this ran; the result is of the old value; run again"
        for change in told
    ]


def test_an_edit_before_the_stage_reads_is_what_it_ran_with() -> None:
    def edit() -> None:
        _write({"train": {"lr": 0.2}})
        _train()

    assert _ended(lambda: None, edit) == (0, [])


def test_a_section_that_the_stage_does_not_read_may_change() -> None:
    assert _ended(_train, lambda: _write({"pooling": {}, "colour": "red"})) == (0, [])


def test_a_value_that_the_variant_overrides_may_change() -> None:
    edit = {"train": {"lr": 0.5, "drops": [4, 6]}}
    assert _ended(lambda: _train("slow"), lambda: _write(edit)) == (0, [])
    assert _ended(lambda: _train("base"), lambda: _write(edit))[0] == 1


def test_another_round_may_be_added_unless_the_stage_asks_for_the_rounds() -> None:
    longer = {"imp": {"fraction": 0.2, "rounds": [*PARAMS["imp"]["rounds"], {"ticket": 1}]}}

    def read(key: str) -> Callable[[], Any]:
        return lambda: Params("base").section(key, Any)

    assert _ended(read("imp.fraction"), lambda: _write(longer)) == (0, [])
    _, lines = _ended(read("imp.rounds"), lambda: _write(longer))
    assert lines[0].startswith("params.yaml: imp.rounds.1 changed from nothing to {'ticket': 1")


def test_a_stage_that_reads_the_whole_file_depends_on_all_of_it() -> None:
    _, lines = _ended(lambda: Params().raw, lambda: _write({"train": {"lr": 1, "drops": [4, 6]}}))
    assert "train.lr changed from 0.1 to 1" in lines[0]
    assert _ended(lambda: Params().raw, lambda: None) == (0, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train: [", "not valid YAML"),
        ("{variants: {base: {}}}", "params.yaml: train is missing; it was when this began"),
        ("{train: {}}", "params.yaml: variants is missing"),
    ],
)
def test_a_file_that_can_no_longer_be_read_has_changed(text: str, told: str) -> None:
    _, lines = _ended(_train, lambda: Path("params.yaml").write_text(text))
    assert told in "\n".join(lines)


# Errors -------------------------------------------------------------------------------------------


def test_among_several_processes_the_first_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def edit() -> None:
        _write({"train": {"lr": 3}})

    monkeypatch.setenv("RANK", "1")
    assert _ended(_train, edit) == (0, [])
    monkeypatch.setenv("RANK", "0")
    assert _ended(_train, edit)[0] == 1


def _unpack() -> None:
    _, _ = [1, 2, 3]  # type: ignore[misc]


@pytest.mark.parametrize("code", [None, 0])
def test_who_ends_the_process_as_if_all_were_done_has_not_done_it(code: int | None) -> None:
    """A network of the user's own, say: DVC and the flow go by the exit code."""
    with pytest.raises(RuntimeError, match=r"sys\.exit\(\) before this stage was done"):
        _ended(_train, lambda: sys.exit(code))
    assert _ended(_train, lambda: sys.exit(3)) == (3, [])


@pytest.mark.parametrize(
    "mistake",
    [
        _unpack,
        lambda: list(zip([1], [], strict=True)),
        lambda: int("x"),
        lambda: Path("none").read_text(),
    ],
)
def test_a_mistake_of_the_program_is_no_bad_input(mistake: Callable[[], Any]) -> None:
    """It keeps its traceback, and the flow tries the stage again."""
    with pytest.raises((ValueError, FileNotFoundError)):
        _ended(mistake, lambda: None)


def test_the_names_of_fingerprints_take_in_the_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _write({"variants": {"wide": {}}})
    monkeypatch.setattr(sys, "argv", ["stage", "--variant", "wide", "--round.ticket", "3"])
    with pytest.raises(SystemExit) as end:
        run(lambda _: None, code=("imp", "networks/{variant}"), variant=str, ticket=int)
    assert end.value.code == 2
    assert "code/networks/wide.json: not there" in capsys.readouterr().err


# Own networks -------------------------------------------------------------------------------------


def _of_own(text: str) -> None:
    """A network `own.nets`, of which the fingerprint is made."""
    Path("own").mkdir(exist_ok=True)
    Path("own/nets.py").write_text(text)
    modules = ["own.nets"]
    content = {"entries": [], "modules": modules, "reads": [], "files": guard.fingerprint(modules)}
    paths.code("net").write_text(json.dumps(content))


def test_a_file_that_own_code_reads_must_be_listed() -> None:
    Path("own").mkdir()
    Path("own/table.json").write_text("{}")
    told = (
        "own/table.json was read, but no fingerprint of this stage holds it; list it in the module "
        "that reads it: READS = ('own/table.json',)"
    )
    _of_own("x = 1\n")
    names = ("imp", "net")
    assert _ended(lambda: Path("own/table.json").read_text(), lambda: None, names) == (1, [told])
    _of_own("READS = ('own/table.json',)\n")
    assert _ended(lambda: Path("own/table.json").read_text(), lambda: None, names) == (0, [])


def test_what_own_code_writes_is_not_read() -> None:
    _of_own("x = 1\n")
    names = ("imp", "net")
    assert _ended(lambda: Path("own/log.txt").write_text("hi"), lambda: None, names) == (0, [])
