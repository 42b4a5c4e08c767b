from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.compute_spec import ComputeSpec
from lp_core.pooling.spec import ScoringSpec
from lp_core.sparsity.spec import ImpSpec
from lp_core.training.schedules import Schedule
from lp_core.training.spec import RewindSpec, TrainSpec
from tasks.kit.params import Params, ParamsError, overlay

_TEXT = """
train:
  epochs: 4
  batch_size: 8
  momentum: 0.9
  weight_decay: 1e-4
  schedule: {kind: step, lr: 1e-1, drops: [2]}
  augment: {crop: 1, flip: false}
rewind: {epochs: 1}
imp: {rounds: [{ticket: 0, parent: rewind}, {ticket: 1, parent: 0}]}
compute: {}
pooling:
  scoring: {search: exact}
variants:
  base: {}
  bare:
  quick: {train: {epochs: 3, schedule: {lr: 0.5}}, rewind: {epochs: 0}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(_TEXT)
    return path


def test_a_section_becomes_the_settings_that_lp_core_declares(file):
    params = Params(path=file)
    train = params.section("train", TrainSpec)
    assert (train.epochs, train.schedule.drops, train.augment.crop) == (4, [2], 1)
    assert params.section("train.schedule", Schedule) == train.schedule
    assert params.section("compute", ComputeSpec) == ComputeSpec()
    assert params.section("pooling.scoring", ScoringSpec).search == "exact"
    assert [line.parent for line in params.section("imp", ImpSpec).rounds] == ["rewind", 0]


def test_scientific_notation_without_a_point_is_a_number(file):
    """PyYAML reads 1e-4 as text; DVC's reader and ours do not."""
    train = Params(path=file).section("train", TrainSpec)
    assert (train.weight_decay, train.schedule.lr) == (1e-4, 0.1)
    assert isinstance(train.weight_decay, float)


def test_a_variant_is_laid_over_the_rest(file):
    quick = Params("quick", file)
    train = quick.section("train", TrainSpec)
    assert (train.epochs, train.schedule.lr, train.schedule.drops) == (3, 0.5, [2])
    assert quick.section("rewind", RewindSpec).epochs == 0
    assert Params(path=file).section("rewind", RewindSpec).epochs == 1
    for empty in ("base", "bare"):
        assert Params(empty, file).raw == Params(path=file).raw


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lr: 1e-1", "lr: fast", "params.yaml: train.schedule.lr: found 'fast'"),
        ("lr: 1e-1", "lr: -1", "params.yaml: train.schedule.lr is -1"),
        ("lr: 1e-1", "lr: .nan", "params.yaml: train.schedule.lr is nan"),
        ("epochs: 4", "epochs: 4.5", "params.yaml: train.epochs: found 4.5"),
        ("epochs: 4", "epochs: true", "params.yaml: train.epochs: found True"),
        ("epochs: 4", "epochs: '4'", "params.yaml: train.epochs: found '4'"),
        ("epochs: 4", "", "params.yaml: train.epochs: missing"),
        ("epochs: 4", "epoch: 4", "params.yaml: train.epoch: unknown key"),
        ("crop: 1", "crop: -1", "params.yaml: train.augment.crop is -1"),
        ("drops: [2]", "drops: [two]", "params.yaml: train.schedule.drops.0: found 'two'"),
        ("kind: step", "kind: steep", "params.yaml: train.schedule.kind: found 'steep'"),
        ("weight_decay: 1e-4", "weight_decay: .nan", "params.yaml: train.weight_decay"),
        ("weight_decay: 1e-4", "weight_decay: .inf", "params.yaml: train.weight_decay"),
    ],
)
def test_a_wrong_value_is_reported_with_its_path(file, old, new, message):
    file.write_text(_TEXT.replace(old, new, 1))
    with pytest.raises(ParamsError) as error:
        Params(path=file).section("train", TrainSpec)
    assert message in str(error.value)
    assert str(error.value).startswith(str(file.parent))


def test_every_fault_of_a_section_is_reported_at_once(file):
    file.write_text(_TEXT.replace("epochs: 4", "epochs: x").replace("momentum: 0.9", "momentum: y"))
    with pytest.raises(ParamsError) as error:
        Params(path=file).section("train", TrainSpec)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("epochs: 4", "epochs: four", "train.epochs: found 'four'; give a whole number"),
        ("momentum: 0.9", "momentum: high", "train.momentum: found 'high'; give a number"),
        ("flip: false", "flip: 0", "train.augment.flip: found 0; give true or false"),
        ("drops: [2]", "drops: 2", "train.schedule.drops: found 2; give a list, such as [a, b]"),
        (
            "{crop: 1, flip: false}",
            "3",
            "train.augment: found 3; give a mapping of `name: value`",
        ),
        (
            "kind: step",
            "kind: steep",
            "train.schedule.kind: found 'steep'; give 'step', 'cosine' or 'constant'",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_answered_with_the_kind_that_would_do(file, old, new, fault):
    file.write_text(_TEXT.replace(old, new, 1))
    with pytest.raises(ParamsError) as error:
        Params(path=file).section("train", TrainSpec)
    assert str(error.value) == f"{file}: {fault}"


def test_a_value_that_may_be_of_two_kinds_is_one_fault(file):
    file.write_text(_TEXT.replace("parent: 0", "parent: '0'"))
    with pytest.raises(ParamsError) as error:
        Params(path=file).section("imp", ImpSpec)
    fault = "imp.rounds.1.parent: found '0'; give a whole number or 'rewind'"
    assert str(error.value) == f"{file}: {fault}"


def test_a_key_with_a_dot_is_answered_with_what_it_was_meant_to_be(file):
    file.write_text(_TEXT.replace("augment:", "schedule.gamma: 0.2\n  augment:"))
    with pytest.raises(ParamsError) as error:
        Params(path=file).section("train", TrainSpec)
    fault = "train.schedule.gamma: unknown key; write it nested: {schedule: {gamma: 0.2}}"
    assert str(error.value) == f"{file}: {fault}"


@pytest.mark.parametrize("dotted", ["pool", "train.speed", "methods.soup", "rewind.epochs.first"])
def test_a_missing_section_is_reported(file, dotted):
    with pytest.raises(ParamsError, match=f"params.yaml: {dotted} is missing"):
        Params(path=file).section(dotted, str)


def test_an_unknown_variant_is_reported(file):
    with pytest.raises(ParamsError, match=r"params\.yaml: variants has no 'other'; it has base"):
        Params("other", file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "line 2 is not valid YAML"),
        ("a: 1\na: 2", "line 2 is not valid YAML"),
        (
            "a: {b: own.nets:Net}",
            "line 1 is not valid YAML .*; put the text with the colon in quotes",
        ),
        ("just words", "found str"),
        ("- 1\n- 2", "found list"),
        ("", "found NoneType"),
    ],
)
def test_a_file_that_is_no_params_file_is_an_error(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=rf"params\.yaml: {message}"):
        Params(path=path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ParamsError, match=r"params\.yaml: not found"):
        Params(path=tmp_path / "params.yaml")


mappings = st.recursive(
    st.integers(0, 9),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
    max_leaves=12,
).filter(lambda value: isinstance(value, dict))


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    leaves: dict[tuple[str, ...], Any] = {}
    for key, value in tree.items():
        leaves |= _leaves(value, (*path, key))
    return leaves


@settings(deadline=None)
@given(base=mappings, over=mappings)
def test_an_overlay_wins_at_its_leaves_and_nowhere_else(base, over):
    copies = repr(base), repr(over)
    result = _leaves(overlay(base, over))
    changed, rest = _leaves(over), _leaves(base)
    assert changed.items() <= result.items()
    for path, value in rest.items():
        if not any(path[: len(other)] == other or other[: len(path)] == path for other in changed):
            assert result[path] == value
    assert result.keys() <= changed.keys() | rest.keys()
    assert (repr(base), repr(over)) == copies
    assert overlay(base, {}) == overlay(base, None) == base
