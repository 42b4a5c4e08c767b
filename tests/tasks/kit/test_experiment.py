"""Whole params files: the shipped ones are valid, and every fault is found before anything runs."""

import copy
import io
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tasks import experiment
from tasks.kit.experiment import validate
from tasks.kit.params import Params, ParamsError

ROOT = Path(experiment.__file__).resolve().parent.parent
SHIPPED = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]
DEFAULT: dict[str, Any] = YAML(typ="safe").load((ROOT / "params.yaml").read_text())


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(changes: dict[str, Any]) -> None:
    """The default file with values changed (`...`: taken out)."""
    raw = copy.deepcopy(DEFAULT)
    for dotted, value in changes.items():
        *path, last = [int(key) if key.isdigit() else key for key in dotted.split(".")]
        place: Any = raw
        for key in path:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    text = io.StringIO()
    YAML(typ="safe").dump(raw, text)
    Path("params.yaml").write_text(text.getvalue())


def _fault(changes: dict[str, Any]) -> str:
    """What validation says of the default file with values changed."""
    _write(changes)
    with pytest.raises(ParamsError) as error:
        validate()
    return str(error.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_params_file_is_valid(path):
    found = validate(path)
    assert found.dataset in found.datasets
    for variant in found.grid:
        Params(variant, path)


def test_there_is_a_preset_for_every_published_setting():
    names = {path.stem for path in SHIPPED}
    cifar = {
        f"{model}-{data}" for model in ("resnet18", "vgg16") for data in ("cifar10", "cifar100")
    }
    assert names >= cifar | {"resnet18-imagenet", "resnet34-imagenet", "params"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "params.yaml: colour: unknown key"),
        ({"train.colour": "red"}, "params.yaml: train.colour: unknown key"),
        ({"train.schedule.colour": 1}, "params.yaml: train.schedule.colour: unknown key"),
        ({"datasets.digits.colour": 1}, "params.yaml: datasets.digits.colour: unknown key"),
        ({"train": ...}, "params.yaml: train: missing"),
        ({"methods": ...}, "params.yaml: methods: missing"),
        ({"train.schedule.lr": ...}, "params.yaml: train.schedule.lr: missing"),
        ({"train.schedule.lr": "fast"}, "params.yaml: train.schedule.lr: found 'fast'"),
        ({"train.schedule.lr": 0}, "params.yaml: train.schedule: lr is 0"),
        ({"train.epochs": "16"}, "params.yaml: train.epochs: found '16'"),
        ({"train.epochs": 0}, "params.yaml: train: epochs is 0"),
        ({"train.schedule": {"kind": "cosine", "lr": 0.1, "warmup": 16}}, "schedule.warmup is 16"),
        ({"train.weight_decay": -0.1}, "params.yaml: train: weight_decay is -0.1"),
        ({"train.momentum": 1}, "params.yaml: train: momentum is 1"),
        ({"train.devices": 3}, "params.yaml: train: batch_size is 64"),
        ({"seeds": [0, 0]}, "params.yaml: seeds: [0, 0]"),
        ({"seeds": [-1]}, "params.yaml: seeds: [-1]"),
        ({"seeds": []}, "params.yaml: seeds: []"),
        ({"seeds": ["0"]}, "params.yaml: seeds.0: found '0'"),
        ({"seeds": 0}, "params.yaml: seeds: found 0"),
        ({"model.name": "resnet19"}, "params.yaml: model.name: found 'resnet19'"),
        ({"compute.precision": "fp8"}, "params.yaml: compute.precision: found 'fp8'"),
        ({"compute.device": "toaster"}, "params.yaml: compute: device is 'toaster'"),
        ({"imp.fraction": 1.0}, "params.yaml: imp: fraction is 1.0"),
        ({"imp.prunable": "bias"}, "params.yaml: imp.prunable: found 'bias'"),
        ({"imp.rounds": []}, "params.yaml: imp: rounds is empty"),
        ({"imp.rounds.2.parent": 6}, "params.yaml: imp: rounds[2] has parent 6"),
        ({"imp.rounds.2.parent": 2}, "params.yaml: imp: rounds[2] has parent 2"),
        ({"imp.rounds.2.parent": -1}, "params.yaml: imp: rounds[2] has parent -1"),
        ({"imp.rounds.2.parent": "rewind"}, "params.yaml: imp: rounds[2] has parent rewind"),
        ({"imp.rounds.0.parent": 0}, "params.yaml: imp: rounds[0] has parent 0"),
        ({"imp.rounds.2.parent": "rewound"}, "params.yaml: imp.rounds.2.parent: found 'rewound'"),
        ({"imp.rounds.2.ticket": 3}, "params.yaml: imp: rounds[2] is ticket 3"),
        ({"imp.rounds.2": ...}, "params.yaml: imp: rounds[2] is ticket 3"),
        ({"imp.rounds.2.ticket": ...}, "params.yaml: imp.rounds.2.ticket: missing"),
        ({"rewind.epochs": 16}, "params.yaml: rewind.epochs: 16"),
        ({"rewind.epochs": -1}, "params.yaml: rewind: epochs is -1"),
        ({"pool.search": "guess"}, "params.yaml: pool.search: found 'guess'"),
        ({"pool.calibration_images": 1}, "params.yaml: pool: calibration_images is 1"),
        ({"pools": ["soup"]}, "params.yaml: pools: 'soup' is not in methods"),
        ({"pools": ["interpolation"]}, "params.yaml: ood: 'average' is not in pools"),
        ({"ood": []}, "params.yaml: ood: []"),
        ({"pooled": ["other"]}, "params.yaml: pooled: 'other' is not in grid"),
        ({"pooled": []}, "params.yaml: pooled: []"),
        ({"ensemble.method": "soup"}, "params.yaml: ensemble.method: 'soup' is not in pools"),
        ({"ensemble": {}}, "params.yaml: ensemble.method: missing"),
        ({"methods.swa.recipe": "soup"}, "params.yaml: methods.swa.recipe: found 'soup'"),
        ({"methods.ema.decay": 1.5}, "params.yaml: methods.ema: decay is 1.5"),
        ({"methods.average.coefficients": [0.5, 2]}, "params.yaml: methods.average: coefficients"),
        ({"methods.average.candidates": 0}, "params.yaml: methods.average: candidates is 0"),
        ({"methods.ticket": {"recipe": "swa"}}, "params.yaml: methods.ticket: "),
        ({"methods.a/b": {"recipe": "swa"}}, "params.yaml: methods.a/b: names may have"),
        ({"datasets.a/b": DEFAULT["datasets"]["digits"]}, "datasets.a/b: names may have"),
        ({"datasets": {"a.b": DEFAULT["datasets"]["digits"]}}, "datasets.a.b: names may have"),
        ({"variants.a b": {}}, "params.yaml: variants.a b: names may have"),
        ({"grid": ["other"]}, "params.yaml: grid: 'other' is not in variants"),
        ({"grid": []}, "params.yaml: grid: []"),
        ({"variants.base": 3}, "params.yaml: variants.base: found 3"),
        ({"dataset": "cifar10"}, "params.yaml: dataset: 'cifar10' is none of ['digits']"),
        (
            {"datasets.digits.source": "clouds"},
            "params.yaml: datasets.digits.source: found 'clouds'",
        ),
        ({"corrupt.images": 0}, "params.yaml: corrupt: images is 0"),
        ({"corrupt.severities": []}, "params.yaml: corrupt: severities is []"),
        ({"train.epochs": 3}, "params.yaml: train: schedule.drops is [4, 6]"),
        ({"methods.swa.prune": "after"}, "params.yaml: methods.swa: prune is 'after'"),
    ],
)
def test_a_fault_is_reported_with_its_path_in_the_file(changes, message):
    assert message in _fault(changes)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"train": {"epochs": 3}}, "params.yaml: variants.other.train: schedule.drops is [4, 6]"),
        ({"train": {"epoch": 2}}, "params.yaml: variants.other.train.epoch: unknown key"),
        ({"train": {"schedule": {"lr": "fast"}}}, "train.schedule.lr: found 'fast'"),
        ({"pool": {"search": "exact"}}, "params.yaml: variants.other.pool: a variant may change"),
        ({"imp": {"rounds": []}}, "params.yaml: variants.other.imp.rounds: all variants"),
        ({"imp": None}, "params.yaml: variants.other.imp: found None; give a mapping"),
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
            "rewind.epochs: 9; it must come before the end of training, train.epochs = 8",
        ),
        (
            {"variants.other": {"rewind": {"epochs": 8}}},
            "variants.other.rewind.epochs: 8; it must come before the end of training, "
            "train.epochs = 8",
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
    _write({"methods.average.candidates": 5})
    assert validate().methods["average"].candidates == 5
    assert _fault({"methods.average.candidates": 6}) == (
        "params.yaml: methods.average.candidates: 6, but each of the 6 tickets has 5 siblings; "
        "give no more, or null for all"
    )


def test_a_method_that_does_not_run_may_ask_for_siblings_that_are_not_there():
    _write({"methods.other": {"recipe": "swa", "candidates": 9}})
    assert validate().methods["other"].candidates == 9


def test_a_single_ticket_has_no_siblings_and_may_be_pooled_with_all_of_them():
    single = {"imp.rounds": [{"ticket": 0, "parent": "rewind"}]}
    one = "interpolation"
    _write(single | {"pools": [one], "ood": [one], "ensemble.method": one})
    assert len(validate().imp.rounds) == 1
    assert "candidates-1.candidates: 1, but each of the 1 tickets has 0 siblings" in _fault(single)


@pytest.mark.parametrize("section", ["datasets.digits", "corrupt"])
def test_a_path_that_dvc_watches_must_be_there(section):
    """dvc.yaml reads it from the file, where a default would not show."""
    assert _fault({f"{section}.path": ...}) == f"params.yaml: {section}.path: missing"
    assert _fault({f"{section}.path": ""}).startswith(f"params.yaml: {section}: path is empty")


def test_a_data_set_may_not_take_the_name_of_anothers_corrupted_set():
    assert _fault({"datasets.digits-C": DEFAULT["datasets"]["digits"]}) == (
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


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_folders_of_downloads_are_there_and_each_serves_one_purpose(path):
    """In one that two share, what one downloads would make the other anew."""
    found = validate(path)
    folders = {name: spec.path for name, spec in found.datasets.items()}
    for name, folder in folders.items():
        if folder.startswith("downloads"):
            assert folder == f"downloads/{name}"
            assert (ROOT / folder / ".gitignore").is_file()
    assert found.corrupt.path == "downloads/corrupted"
    assert (ROOT / "downloads" / "corrupted" / ".gitignore").is_file()


def _absent(changes: dict[str, Any]) -> str:
    """What the stage `params` says of the default file with values changed."""
    _write(changes)
    with pytest.raises(ParamsError) as error:
        experiment.main(Namespace())
    assert not Path("data").exists()
    return str(error.value)


CIFAR = {"source": "cifar10", "path": "images", "download": True}


@pytest.mark.parametrize(
    ("data", "would"),
    [
        (CIFAR, "make it; it may be empty"),
        (CIFAR | {"download": False}, "name one that has the files"),
        (CIFAR | {"source": "digits", "download": False}, "make it; it may be empty"),
        ({"source": "folder", "path": "images"}, "name one that has the files"),
    ],
)
def test_the_folder_of_the_chosen_data_set_must_be_there(data, would):
    Path("downloads/corrupted").mkdir(parents=True)
    changes = {"dataset": "chosen", "datasets.chosen": data}
    assert _absent(changes) == (
        f"params.yaml: datasets.chosen.path: there is no folder images; {would}"
    )
    Path("images").touch()  # no folder
    assert "datasets.chosen.path" in _absent(changes)
    Path("images").unlink()
    Path("images").mkdir()
    experiment.main(Namespace())
    assert Path("data/params.valid").is_file()


def test_the_folder_of_a_data_set_that_is_not_chosen_need_not_be_there():
    for folder in ("digits", "corrupted"):
        Path("downloads", folder).mkdir(parents=True)
    _write({"datasets.other": CIFAR})
    experiment.main(Namespace())


def test_the_folder_of_the_corrupted_images_must_be_there():
    Path("downloads/digits").mkdir(parents=True)
    there_is_no = "params.yaml: corrupt.path: there is no folder downloads/corrupted; "
    assert _absent({}) == there_is_no + "make it; it may be empty"
    official = _absent({"corrupt.source": "official"})
    assert official == there_is_no + "name one that has the files"


def test_the_official_corruptions_must_be_there_with_their_labels():
    for folder in ("downloads/digits", "downloads/corrupted"):
        Path(folder).mkdir(parents=True)
    changes = {"corrupt.source": "official", "corrupt.corruptions": ["fog", "snow"]}
    lacks = "params.yaml: corrupt.path: downloads/corrupted lacks "
    assert _absent(changes).startswith(lacks + "labels.npy, fog.npy, snow.npy; ")
    for name in ("labels", "snow", "frost"):
        Path(f"downloads/corrupted/{name}.npy").touch()
    assert _absent(changes).startswith(lacks + "fog.npy; ")
    Path("downloads/corrupted/fog.npy").touch()
    experiment.main(Namespace())


def test_validation_alone_does_not_look_for_folders():
    """The flow validates where they need not be."""
    _write({"corrupt.source": "official"})
    assert validate().corrupt.source == "official"


def test_the_stage_params_leaves_a_file_that_never_changes(root):
    for folder in ("digits", "corrupted"):
        Path("downloads", folder).mkdir(parents=True)
    default = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(default)
    experiment.main(Namespace())
    first = (root / "data" / "params.valid").read_bytes()
    assert "seeds: [" in default
    Path("params.yaml").write_text(default.replace("seeds: [", "seeds: [97, "))
    experiment.main(Namespace())
    assert (root / "data" / "params.valid").read_bytes() == first
