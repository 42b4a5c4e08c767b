from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from flows.params import devices, overridden, set_params
from tests.flows.toy import Toy

INDENTED = """\
# The head.
train:
  epochs: 40   # how long
  lr: 1e-3
  steps: {name: step, at: [1, 2]}  # flow style
  note: "in quotes"   # kept
imp:
  rounds:
    - {ticket: 0, parent: rewind}   # dense
    # and sparser ones
    - {ticket: 1, parent: 0}
variants: {base: {}}
long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccc
"""
FLUSH = INDENTED.replace("    - ", "  - ").replace("    # and", "  # and")


@pytest.mark.parametrize("text", [INDENTED, FLUSH])
def test_an_override_changes_its_value_and_nothing_else_in_the_file(text: str) -> None:
    after = overridden(text, ["train.epochs=3", "train.steps.at=[7]", "imp.rounds.1.parent=5"])
    expected = (
        text.replace("epochs: 40   #", "epochs: 3    #")
        .replace("[1, 2]", "[7]")
        .replace("parent: 0", "parent: 5")
    )
    assert after.split() == expected.split()
    assert after.count("\n") == expected.count("\n")
    assert [a[:6] for a in after.splitlines()] == [e[:6] for e in expected.splitlines()]


@settings(max_examples=25, deadline=None)
@given(epochs=st.integers(), rate=st.floats(allow_nan=False, allow_infinity=False))
def test_the_file_reads_back_as_what_was_set(epochs: int, rate: float) -> None:
    after = overridden(INDENTED, [f"train.epochs={epochs}", f"train.lr={rate!r}"])
    read = YAML(typ="safe").load(after)
    expected = YAML(typ="safe").load(INDENTED)
    expected["train"] |= {"epochs": epochs, "lr": rate}
    assert read == expected


def test_a_network_of_ones_own_is_set_within_brackets_so_that_dvc_can_read_it() -> None:
    text = 'variants:\n  mine: {model: {name: "own.nets:Net"}}\n'
    after = overridden(text, ["variants.mine.model.name=own.nets:Other"])
    assert after == text.replace("Net", "Other")


def test_null_is_written_where_it_is_set_and_where_it_was() -> None:
    text = "train:\n  init: null  # seed\n  noise: 3    # seed\n"
    assert overridden(text, ["train.noise=null"]) == text.replace("3   ", "null")


def test_a_list_of_lines_can_be_emptied() -> None:
    after = overridden(INDENTED, ["imp.rounds=[]"])
    assert YAML(typ="safe").load(after)["imp"] == {"rounds": []}
    assert "\nvariants: {base: {}}\n" in after


def test_no_override_leaves_the_text_as_it_is() -> None:
    assert overridden("a:   1\nb: [ 2 ]\n", []) == "a:   1\nb: [ 2 ]\n"


def test_an_unknown_key_is_an_error_that_lists_near_keys() -> None:
    with pytest.raises(ValueError, match=r"no key 'train\.epocs'; near it: train\.epochs"):
        overridden(INDENTED, ["train.lr=1", "train.epocs=3"])


def test_a_key_can_be_added_and_removed_on_purpose() -> None:
    after = overridden(INDENTED, ["+variants.base.lr=0.1", "~train.lr"])
    read = YAML(typ="safe").load(after)
    assert read["variants"] == {"base": {"lr": 0.1}}
    assert "lr" not in read["train"]


@pytest.mark.parametrize("override", ["train.epochs", "imp.rounds[0].ticket=4", "=3"])
def test_an_override_that_cannot_be_parsed_is_one_error(override: str) -> None:
    with pytest.raises(ValueError, match="is not of the form key=value"):
        overridden(INDENTED, [override])


@pytest.mark.parametrize("override", ["train.epochs=1,2", "train.epochs=range(1,3)"])
def test_several_values_for_one_key_are_an_error(override: str) -> None:
    with pytest.raises(ValueError, match="lists several values"):
        overridden(INDENTED, [override])


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("seeds: [0]", 1),
        ("train: {epochs: 2}", 1),
        ("train: {devices: 4}\nvariants: {base: {}, none: }", 4),
        ("train: {devices: 2}\nvariants: {wide: {train: {devices: 8}}, narrow: {train: {}}}", 8),
    ],
)
def test_devices_is_the_most_that_any_variant_trains_on(
    tmp_path: Path, params: str, expected: int
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params)
    assert devices(path) == expected


def test_set_params_writes_the_file_and_says_so(toy: Toy) -> None:
    toy.write("params.yaml", toy.read("params.yaml"))
    assert set_params(toy.root / "params.yaml", ["train.epochs=7"])
    assert "epochs: 7   # few" in toy.read("params.yaml")
    assert not set_params(toy.root / "params.yaml", ["train.epochs=7"])
    assert sorted(p.name for p in toy.root.glob(".params-*")) == []


def test_params_that_do_not_validate_leave_the_file_as_it_was(toy: Toy) -> None:
    before = toy.read("params.yaml")
    with pytest.raises(ValueError, match=r"^params\.yaml: train\.epochs must not be negative"):
        set_params(toy.root / "params.yaml", ["train.epochs=-1"])
    assert toy.read("params.yaml") == before
    toy.write("params.yaml", before.replace("epochs: 2", "epochs: -2"))
    with pytest.raises(ValueError, match=r"^params\.yaml: train\.epochs must not be negative"):
        set_params(toy.root / "params.yaml", [])


def test_a_link_to_a_preset_stays_a_link(toy: Toy) -> None:
    path = toy.root / "params.yaml"
    path.rename(toy.root / "preset.yaml")
    path.symlink_to("preset.yaml")
    set_params(path, ["train.epochs=7"])
    assert path.is_symlink()
    assert "epochs: 7" in toy.read("preset.yaml")


@pytest.mark.usefixtures("toy")
def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"other\.yaml does not exist"):
        set_params(Path("other.yaml"), [])
