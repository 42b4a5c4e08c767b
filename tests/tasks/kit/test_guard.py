"""A stage whose code or parameters are edited while it runs does not end well."""

import ast
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.closure import ROOT

from lp_core.sparsity.spec import ImpSpec
from tasks.kit import guard as unchanged
from tasks.kit.cli import run
from tasks.kit.guard import loaded
from tasks.kit.params import READ, Params

ROUNDS = [{"ticket": 0, "parent": "rewind"}, {"ticket": 1, "parent": 0}]
PARAMS: dict[str, Any] = {
    "train": {"lr": 0.1, "drops": [4, 6]},
    "pool": {"search": "exact"},
    "imp": {"prunable": "conv", "fraction": 0.2, "rounds": ROUNDS},
    "variants": {"base": {}, "slow": {"train": {"lr": 0.01}}},
}
LONGER = {**PARAMS["imp"], "rounds": [*ROUNDS, {"ticket": 2, "parent": 1}]}


@pytest.fixture(autouse=True)
def _stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.delenv("RANK", raising=False)
    yield
    loaded.cache_clear()


def _begin() -> None:
    """As a new process."""
    READ.clear()
    loaded.cache_clear()
    _write({})


def _write(changes: dict[str, Any]) -> None:
    Path("params.yaml").write_text(json.dumps(PARAMS | changes))  # JSON is YAML


def _ended(read: Callable[[], Any], edit: Callable[[], Any]) -> list[str]:
    """What a stage says at its end that reads, then has something edited under it."""

    _begin()

    def main(_: Namespace) -> None:
        read()
        edit()

    try:
        run(main)
    except SystemExit as end:
        # A message as the code prints it, and makes exit code 1.
        return str(end.code).splitlines()
    return []


def _train(variant: str = "base") -> None:
    Params(variant).section("train", dict[str, Any])


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
def test_each_parameter_that_changed_is_named_with_both_values(train, told):
    assert _ended(_train, lambda: _write({"train": train})) == [
        f"params.yaml: {each} while this ran; the result is of the old value; run again"
        for each in told
    ]


def test_an_edit_before_the_stage_reads_is_what_it_ran_with():
    assert not _ended(lambda: None, lambda: (_write({"train": {"lr": 0.2}}), _train()))


def test_a_section_that_the_stage_does_not_read_may_change():
    assert not _ended(_train, lambda: _write({"pool": {"search": "halving"}, "colour": "red"}))


def test_a_value_that_the_variant_overrides_may_change():
    edit = {"train": {"lr": 0.5, "drops": [4, 6]}}
    assert not _ended(lambda: _train("slow"), lambda: _write(edit))
    assert _ended(lambda: _train("base"), lambda: _write(edit))


def test_another_round_may_be_added_unless_the_stage_asks_for_the_rounds():
    def rounds() -> None:
        Params("base").section("imp.rounds", list[dict[str, Any]])

    def whole() -> None:
        Params("base").section("imp", ImpSpec)

    assert not _ended(whole, lambda: _write({"imp": LONGER}))
    assert _ended(whole, lambda: _write({"imp": {**LONGER, "fraction": 0.5}})) == [
        "params.yaml: imp.fraction changed from 0.2 to 0.5 while this ran; "
        "the result is of the old value; run again"
    ]
    (line,) = _ended(rounds, lambda: _write({"imp": LONGER}))
    assert line.startswith("params.yaml: imp.rounds.2 changed from nothing to {'ticket': 2")


def test_a_stage_that_reads_the_whole_file_depends_on_all_of_it():
    def read() -> None:
        assert Params().raw["pool"]

    (line,) = _ended(read, lambda: _write({"imp": LONGER}))
    assert "imp.rounds.2 changed" in line
    assert not _ended(lambda: None, lambda: _write({}))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train: [", "not valid YAML"),
        ("{variants: {base: {}}}", "params.yaml: train is missing; it was when this began"),
        ("{train: {}}", "params.yaml: variants.base is not there"),
    ],
)
def test_a_file_that_can_no_longer_be_read_has_changed(text, told):
    lines = _ended(_train, lambda: Path("params.yaml").write_text(text))
    assert told in "\n".join(lines)


def test_among_several_processes_the_first_tells(monkeypatch):
    def edit() -> None:
        _write({"train": {"lr": 3}})

    monkeypatch.setenv("RANK", "1")
    assert not _ended(_train, edit)
    monkeypatch.setenv("RANK", "0")
    assert _ended(_train, edit)


@pytest.mark.parametrize(("status", "told"), [(0, True), (None, True), (1, False), (7, False)])
def test_a_stage_that_ran_in_other_processes_is_checked_if_they_ended_well(status, told):
    _begin()

    def main(_: Namespace) -> None:
        _train()
        _write({"train": {"lr": 3}})
        sys.exit(status)

    with pytest.raises(SystemExit) as end:
        run(main)
    assert ("train.lr" in str(end.value.code)) == told
    assert told or end.value.code == status


def test_a_loaded_source_file_that_changed_is_named(tmp_path, monkeypatch):
    source = tmp_path / "lp_core" / "loop.py"
    source.parent.mkdir()
    source.write_text("x = 1\n")
    (tmp_path / "lp_core" / "other.py").write_text("y = 1\n")
    monkeypatch.setattr(unchanged, "PROJECT", tmp_path)
    monkeypatch.setitem(sys.modules, "loop", Namespace(__file__=str(source)))
    line = "lp_core/loop.py changed while this ran; the result is of the old code; run again"
    assert _ended(lambda: None, lambda: source.write_text("x = 2\n")) == [line]
    assert not _ended(lambda: None, lambda: source.write_text("x = 2\n"))
    assert not _ended(lambda: None, (tmp_path / "lp_core" / "other.py").unlink)
    assert _ended(lambda: None, source.unlink) == [line]


def test_all_of_a_stages_code_is_loaded_before_it_runs():
    """Code imported later would not be compared."""
    for folder in ("lp_core", "tasks"):
        for file in (ROOT / folder).rglob("*.py"):
            functions = [
                node
                for node in ast.walk(ast.parse(file.read_text()))
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            inside = [node for function in functions for node in ast.walk(function)]
            names = [a.name for node in inside if isinstance(node, ast.Import) for a in node.names]
            names += [str(node.module) for node in inside if isinstance(node, ast.ImportFrom)]
            ours = [name for name in names if name.partition(".")[0] in ("lp_core", "tasks")]
            assert not ours, f"{file.relative_to(ROOT)} imports {ours} inside a function"
