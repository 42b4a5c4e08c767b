"""Whole params files: the shipped ones are valid, and every fault is found before anything runs."""

import io
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tasks import params
from tasks.kit.code import PROJECT
from tasks.kit.experiment import validate
from tasks.kit.params import ParamsError
from tests.changes import with_changes

DEFAULT: dict[str, Any] = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())
DIGITS = DEFAULT["datasets"]["digits"]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own").mkdir()
    return tmp_path


def _write(changes: dict[str, Any]) -> None:
    """The default file with values changed (`...`: taken out)."""
    text = io.StringIO()
    YAML(typ="safe").dump(with_changes(DEFAULT, changes, separator="."), text)
    Path("params.yaml").write_text(text.getvalue())


def _fault(changes: dict[str, Any]) -> str:
    """What validation says of the default file with values changed."""
    _write(changes)
    with pytest.raises(ParamsError) as error:
        validate()
    return str(error.value)


def test_the_default_params_file_is_valid():
    assert validate(PROJECT / "params.yaml").dataset in DEFAULT["datasets"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "params.yaml: colour: unknown key"),
        ({"train.colour": "red"}, "params.yaml: train.colour: unknown key"),
        ({"train.schedule.colour": 1}, "params.yaml: train.schedule.colour: unknown key"),
        ({"datasets.digits.colour": 1}, "params.yaml: datasets.digits.colour: unknown key"),
        ({"train": ...}, "params.yaml: train: missing"),
        ({"pooling.recipes": ...}, "params.yaml: pooling.recipes: missing"),
        ({"train.schedule.lr": ...}, "params.yaml: train.schedule.lr: missing"),
        ({"train.schedule.lr": "fast"}, "params.yaml: train.schedule.lr: found 'fast'"),
        ({"train.schedule.lr": 0}, "params.yaml: train.schedule.lr is 0"),
        ({"train.epochs": "16"}, "params.yaml: train.epochs: found '16'"),
        ({"train.epochs": 0}, "params.yaml: train.epochs is 0"),
        ({"train.schedule": {"kind": "cosine", "lr": 0.1, "warmup": 16}}, "schedule.warmup is 16"),
        ({"train.weight_decay": -0.1}, "params.yaml: train.weight_decay is -0.1"),
        ({"train.momentum": 1}, "params.yaml: train.momentum is 1"),
        ({"train.devices": 3}, "params.yaml: train.batch_size is 64"),
        ({"seeds": [0, 0]}, "params.yaml: seeds: [0, 0]"),
        ({"seeds": [-1]}, "params.yaml: seeds: [-1]"),
        ({"seeds": []}, "params.yaml: seeds: the list is empty"),
        ({"seeds": [2**63]}, "params.yaml: seeds: [9223372036854775808]; give 0 or more"),
        ({"seeds": ["0"]}, "params.yaml: seeds.0: found '0'"),
        ({"seeds": 0}, "params.yaml: seeds: found 0"),
        ({"model.name": "resnet19"}, "params.yaml: model.name is 'resnet19'"),
        ({"compute.precision": "fp8"}, "params.yaml: compute.precision: found 'fp8'"),
        ({"compute.device": "toaster"}, "params.yaml: compute.device is 'toaster'"),
        ({"imp.fraction": 1.0}, "params.yaml: imp.fraction is 1.0"),
        ({"imp.prunable": "bias"}, "params.yaml: imp.prunable: found 'bias'"),
        ({"imp.rounds": []}, "params.yaml: imp.rounds is empty"),
        ({"imp.rounds.2.parent": 6}, "params.yaml: imp.rounds.2.parent is 6"),
        ({"imp.rounds.2.parent": 2}, "params.yaml: imp.rounds.2.parent is 2"),
        ({"imp.rounds.2.parent": -1}, "params.yaml: imp.rounds.2.parent is -1"),
        ({"imp.rounds.2.parent": "rewind"}, "params.yaml: imp.rounds.2.parent is rewind"),
        ({"imp.rounds.0.parent": 0}, "params.yaml: imp.rounds.0.parent is 0"),
        ({"imp.rounds.2.parent": "rewound"}, "params.yaml: imp.rounds.2.parent: found 'rewound'"),
        ({"imp.rounds.2.ticket": 3}, "params.yaml: imp.rounds.2.ticket is 3"),
        ({"imp.rounds.2": ...}, "params.yaml: imp.rounds.2.ticket is 3"),
        ({"imp.rounds.2.ticket": ...}, "params.yaml: imp.rounds.2.ticket: missing"),
        ({"rewind.epochs": 16}, "params.yaml: rewind.epochs: 16"),
        ({"rewind.epochs": -1}, "params.yaml: rewind.epochs is -1"),
        (
            {"pooling.scoring.search": "guess"},
            "params.yaml: pooling.scoring.search: found 'guess'",
        ),
        (
            {"pooling.scoring.calibration_images": 1},
            "params.yaml: pooling.scoring.calibration_images is 1",
        ),
        (
            {"pooling.methods": ["soup"]},
            "params.yaml: pooling.methods: 'soup' is not in pooling.recipes",
        ),
        (
            {"pooling.methods": ["interpolation"]},
            "params.yaml: pooling.corrupted: 'average' is not in pooling.methods",
        ),
        ({"pooling.corrupted": []}, "params.yaml: pooling.corrupted: the list is empty"),
        (
            {"pooling.variants": ["other"]},
            "params.yaml: pooling.variants: 'other' is not in grid",
        ),
        (
            {"pooling.ensemble": "soup"},
            "params.yaml: pooling.ensemble: 'soup' is not in pooling.methods",
        ),
        ({"pooling.ensemble": ...}, "params.yaml: pooling.ensemble: missing"),
        (
            {"pooling.recipes.swa.recipe": "soup"},
            "params.yaml: pooling.recipes.swa.recipe: recipe 'soup' is unknown",
        ),
        ({"pooling.recipes.swa": {}}, "params.yaml: pooling.recipes.swa.recipe: "),
        (
            {"pooling.recipes.ema.decay": 1.5},
            "params.yaml: pooling.recipes.ema.decay is 1.5",
        ),
        (
            {"pooling.recipes.average.coefficients": [0.5, 2]},
            "params.yaml: pooling.recipes.average.coefficients",
        ),
        (
            {"pooling.recipes.average.candidates": 0},
            "params.yaml: pooling.recipes.average.candidates is 0",
        ),
        ({"pooling.recipes.ticket": {"recipe": "swa"}}, "params.yaml: pooling.recipes.ticket: "),
        ({"pooling.recipes.a/b": {"recipe": "swa"}}, "pooling.recipes.a/b: a name has"),
        ({"datasets.a/b": DIGITS}, "datasets.a/b: a name has"),
        ({"datasets": {"a.b": DIGITS}}, "datasets.a.b: a name has"),
        ({"variants.-base": {}}, "variants.-base: a name has"),
        ({f"variants.{'a' * 65}": {}}, "a name has up to 64 letters"),
        ({"variants.$(rm -r x)": {}}, "variants.$(rm -r x): a name has"),
        ({"variants.a b": {}}, "params.yaml: variants.a b: a name has"),
        ({"grid": ["other"]}, "params.yaml: grid: 'other' is not in variants"),
        ({"grid": []}, "params.yaml: pooling.variants: 'base' is not in grid, which is empty"),
        ({"grid": [], "sup_tickets.variants": []}, "params.yaml: grid: the list is empty, and so"),
        ({"variants.base": 3}, "params.yaml: variants.base: found 3"),
        ({"dataset": "cifar10"}, "params.yaml: dataset: 'cifar10' is not in datasets"),
        (
            {"datasets.digits.source": "clouds"},
            "params.yaml: datasets.digits.source: found 'clouds'",
        ),
        ({"corrupt.digits.images": 0}, "params.yaml: corrupt.digits.images is 0"),
        ({"corrupt.digits.severities": []}, "params.yaml: corrupt.digits.severities is []"),
        ({"corrupt": {}}, "params.yaml: dataset: 'digits' is not in corrupt"),
        ({"corrupt.more": DEFAULT["corrupt"]["digits"]}, "corrupt.more: there is no data set"),
        ({"train.epochs": 3}, "params.yaml: train.schedule.drops is [3, 4]"),
        ({"pooling.recipes.swa.prune": "after"}, "pooling.recipes.swa.prune: unknown key"),
    ],
)
def test_a_fault_is_reported_with_its_path_in_the_file(changes, message):
    assert message in _fault(changes)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"train": {"epochs": 3}}, "params.yaml: variants.other.train.schedule.drops is [3, 4]"),
        ({"train": {"epoch": 2}}, "params.yaml: variants.other.train.epoch: unknown key"),
        ({"train": {"schedule": {"lr": "fast"}}}, "train.schedule.lr: found 'fast'"),
        ({"pooling": {"ensemble": "swa"}}, "variants.other.pooling: a variant may change"),
        ({"imp": {"rounds": []}}, "params.yaml: variants.other.imp.rounds: all variants"),
        ({"imp": None}, "params.yaml: variants.other.imp: found null; give a mapping"),
        ({"imp": 5}, "params.yaml: variants.other.imp: found 5; give a mapping"),
        ({"train": 5}, "params.yaml: variants.other.train: found 5; give a mapping"),
    ],
)
def test_a_fault_of_a_variant_is_reported_with_its_path(over, message):
    lines = _fault({"variants.other": over}).splitlines()
    assert any(message in line for line in lines)
    # Every line says where it is, once.
    assert all(line.startswith("params.yaml: ") for line in lines)
    assert all(line.count("params.yaml") == 1 for line in lines)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"rewind.epochs": 9},
            "rewind.epochs: 9; it must come before the end of training, train.epochs = 6",
        ),
        (
            {"variants.other": {"rewind": {"epochs": 8}}},
            "variants.other.rewind.epochs: 8; it must come before the end of training, "
            "train.epochs = 6",
        ),
        (
            {"variants.other": {"train": {"epochs": 2, "schedule": {"drops": []}}}},
            "rewind.epochs: 2; it must come before the end of training, "
            "variants.other.train.epochs = 2",
        ),
    ],
)
def test_a_rewind_point_after_the_end_of_training_is_reported_once_where_it_is_set(changes, fault):
    assert _fault({"variants.same": {}} | changes) == f"params.yaml: {fault}"


def test_a_key_with_a_dot_in_a_variant_is_reported_once_with_what_it_was_meant_to_be():
    assert _fault({"variants.other": {"rewind.epochs": 0}}) == (
        "params.yaml: variants.other.rewind.epochs: unknown key; "
        "write it nested: {rewind: {epochs: 0}}"
    )


def test_a_method_that_runs_may_walk_no_more_siblings_than_there_are():
    tickets = len(DEFAULT["imp"]["rounds"])
    _write({"pooling.recipes.average.candidates": tickets - 1})
    validate()
    assert _fault({"pooling.recipes.average.candidates": tickets}) == (
        f"params.yaml: pooling.recipes.average.candidates is {tickets}; of {tickets} tickets give "
        f"at most {tickets - 1}, or null for all"
    )


def test_a_method_that_does_not_run_may_ask_for_siblings_that_are_not_there():
    _write({"pooling.recipes.other": {"recipe": "swa", "candidates": 99}})
    validate()


def test_a_single_ticket_has_no_siblings_and_may_be_pooled_with_all_of_them():
    single = {"imp.rounds": [{"ticket": 0, "parent": "rewind"}]}
    method = {"pooling.methods": ["swa"], "pooling.corrupted": ["swa"], "pooling.ensemble": "swa"}
    method["sup_tickets.siblings.pool"] = "swa"
    method |= {"sgd_noise.variants": [], "sgd_noise.crossed": []}  # of ticket 3
    _write(single | method)
    assert len(validate().imp.rounds) == 1
    nearest = {"pooling.recipes.swa.candidates": 1}
    assert "swa.candidates is 1; of 1 tickets give at most 0" in _fault(single | method | nearest)


def test_an_experiment_that_pools_nothing_is_valid():
    _write({"pooling.variants": [], "sup_tickets.siblings.methods": []})
    assert validate().pooling.variants == []


def test_two_stages_of_one_name_are_a_fault_that_names_both():
    """DVC joins by hyphens, and keeps one of the two without a word."""
    lines = _fault(
        {
            "variants.base-0": {},
            "grid": ["base", "base-0"],
            "pooling.variants": ["base", "base-0"],
            "pooling.recipes.1-average": {"recipe": "swa"},
            "pooling.methods": ["average", "1-average"],
            "pooling.corrupted": ["average"],
            "pooling.ensemble": "average",
        }
    )
    assert "would both be the stage pool@base-0-1-average; rename one of them" in lines
    assert "variant 'base' with method '1-average'" in lines
    assert "variant 'base-0' with method 'average'" in lines


@pytest.mark.parametrize("section", ["datasets.digits", "corrupt.digits"])
def test_what_dvc_watches_must_be_named(section):
    """dvc.yaml reads it from the file, where a default would not show."""
    assert f"params.yaml: {section}.watch: missing; " in _fault({f"{section}.watch": ...})
    assert "watch is empty" in _fault({f"{section}.watch": ""})


def test_a_data_set_may_not_take_the_name_of_anothers_corrupted_set():
    assert _fault({"datasets.digits-C": DIGITS}) == (
        "params.yaml: datasets.digits-C: data/digits-C stands for the corrupted images of digits; "
        "give a name that does not end in -C"
    )


def test_all_faults_are_reported_at_once():
    lines = _fault({"train.epochs": "x", "model.name": "y", "colour": 1}).splitlines()
    assert len(lines) == 3


def _paths(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if path and path != ("variants", "base"):
        yield path
    pairs = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in pairs:
        yield from _paths(value, (*path, str(key)))


@pytest.mark.parametrize("path", sorted(set(_paths(DEFAULT))), ids=".".join)
def test_a_value_of_another_kind_is_reported_wherever_it_stands(path):
    """No setting takes a list of such mappings."""
    dotted = ".".join(path)
    lines = _fault({dotted: [{"nonsense": [[]]}]}).splitlines()
    assert all(line.startswith(f"params.yaml: {dotted}") for line in lines), lines


def _missing(changes: dict[str, Any]) -> str:
    """What the stage `params` says of the default file with values changed."""
    _write(changes)
    Path("constraints.txt").touch()
    with pytest.raises(ParamsError) as error:
        params.main(Namespace())
    assert not Path("data").exists()
    return str(error.value)


CIFAR = {"source": "cifar10", "path": "images", "watch": "constraints.txt"}


def test_the_folder_of_a_data_set_must_be_there_unless_it_is_downloaded():
    changes = {"datasets.digits": CIFAR}
    no_folder = "params.yaml: datasets.digits.path: there is no folder images; name one"
    assert _missing(changes).startswith(no_folder)
    Path("images").touch()  # no folder
    assert _missing(changes).startswith(no_folder)
    _write({"datasets.digits": CIFAR | {"download": True}})
    params.main(Namespace())
    Path("images").unlink()
    Path("images").mkdir()
    _write(changes)
    params.main(Namespace())
    assert Path("data/params.valid").is_file()


def test_a_data_set_that_is_not_used_stops_nothing_where_its_folder_is_missing(capsys):
    """DVC then fails its own stages alone: `dvc repro tables`, `--keep-going` or the flow go on."""
    _write({"datasets.more": CIFAR})
    Path("constraints.txt").touch()
    params.main(Namespace())
    assert Path("data/params.valid").is_file()
    told = capsys.readouterr().out
    assert told.startswith("note: params.yaml: datasets.more.path: there is no folder images; ")
    assert told.count("\n") == 1


def test_the_images_of_a_target_of_transfer_must_be_there(capsys):
    """Without them there is no table: `tables` waits for every transfer."""
    changes = {"datasets.more": CIFAR, "sgd_noise.transfer.targets": ["more"]}
    no_folder = "params.yaml: datasets.more.path: there is no folder images; "
    assert _missing(changes | {"sgd_noise.transfer.tickets": [0]}).startswith(no_folder)
    _write(changes)  # no ticket is transferred
    params.main(Namespace())
    assert capsys.readouterr().out.startswith(f"note: {no_folder}")


@pytest.mark.parametrize("section", ["datasets", "corrupt"])
def test_what_is_watched_must_be_there(section):
    told = _missing({f"{section}.digits.watch": "images.listing"})
    assert told.startswith(
        f"params.yaml: {section}.digits.watch: there is no file or folder images.listing; name"
    )


def test_the_official_corruptions_must_be_there_with_their_labels():
    official = {"source": "official", "path": "CIFAR-10-C", "watch": "CIFAR-10-C"}
    changes = {"corrupt.digits": official | {"corruptions": ["fog", "snow"]}}
    assert "corrupt.digits.path: there is no folder CIFAR-10-C; name the" in _missing(changes)
    Path("CIFAR-10-C").mkdir()
    lacks = "params.yaml: corrupt.digits.path: CIFAR-10-C lacks "
    assert _missing(changes).startswith(lacks + "labels.npy, fog.npy, snow.npy; ")
    for name in ("labels", "snow", "frost"):
        Path(f"CIFAR-10-C/{name}.npy").touch()
    assert _missing(changes).startswith(lacks + "fog.npy; ")
    Path("CIFAR-10-C/fog.npy").touch()
    params.main(Namespace())


def test_validation_alone_does_not_look_for_files():
    """The flow validates where they need not be."""
    _write({"datasets.more": CIFAR})
    assert "more" in validate().datasets


def test_the_stage_params_leaves_a_file_that_never_changes(root):
    Path("constraints.txt").touch()
    default = (PROJECT / "params.yaml").read_text()
    Path("params.yaml").write_text(default)
    params.main(Namespace())
    first = (root / "data" / "params.valid").read_bytes()
    assert "seeds: [" in default
    Path("params.yaml").write_text(default.replace("seeds: [", "seeds: [97, "))
    params.main(Namespace())
    assert (root / "data" / "params.valid").read_bytes() == first
