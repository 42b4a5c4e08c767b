"""Every preset is its paper's setting, as a whole file in which each key is explained."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from presets.__main__ import main
from presets.overlays import Entry, names, parsed, whole
from tests.tasks import sup_settings
from tests.tasks.imp_settings import (
    on_cifar,
    on_imagenet,
    on_two_cores,
    patient,
    sup_tickets_on_cifar,
    sup_tickets_on_imagenet,
    sup_tickets_on_two_cores,
)
from tests.tasks.sgd_presets import (
    sgd_noise_on_digits,
    sgd_noise_on_tiny_imagenet,
    sgd_noise_on_two_cores,
    sgd_noise_published,
)

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "cifar10-cpu-sgd": sgd_noise_on_two_cores(),
    "tiny-imagenet-cpu-sgd": sgd_noise_on_tiny_imagenet(),
    "digits-sgd": sgd_noise_on_digits(),
    **{
        f"sgd-{model}-{dataset}": sgd_noise_published(model, dataset)
        for model, dataset in (
            ("resnet18", "cifar10"),
            ("resnet18", "cifar100"),
            ("vgg16", "cifar100"),
            ("resnet34", "tiny-imagenet"),
        )
    },
    "cifar10-cpu-sup": sup_tickets_on_two_cores(),
    "sup-resnet50-imagenet": sup_tickets_on_imagenet(),
    **{
        f"sup-{m.replace('_', '-')}-{d}": sup_tickets_on_cifar(m, d)
        for m in sup_settings.METHODS
        for d in ("cifar10", "cifar100")
    },
    "cifar10-cpu": on_two_cores(),
    "cifar10-patient": patient(),
    **{f"{m}-{d}": on_cifar(m, d) for m in ("resnet18", "vgg16") for d in ("cifar10", "cifar100")},
    **{f"{m}-imagenet": on_imagenet(m) for m in ("resnet18", "resnet34")},
}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def values(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def test_params_yaml_is_the_default_preset_until_another_is_written():
    assert (ROOT / "params.yaml").read_text() == (ROOT / "presets" / "default.yaml").read_text()


def test_every_preset_has_its_setting_here():
    assert set(names()) == {"default", *SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_preset_is_its_papers_setting_in_every_value(name, params):
    main([name])
    assert values(params) == SETTINGS[name]


@pytest.mark.parametrize("network", ["resnet18", "resnet34"])
def test_26000_of_imagenets_training_images_are_held_out(network):
    """Lottery Pools, table 3. A split's total does not depend on the classes' sizes."""
    images = SETTINGS[f"{network}-imagenet"]["datasets"]["imagenet"]
    assert round(images["val_fraction"] * 1_281_167) == 26_000


@pytest.mark.parametrize("name", [name for name in SETTINGS if "sup" in name])
def test_superposing_takes_the_last_tenth_of_a_published_training(name):
    """Section 3.2.1: 24 epochs of 250, and 8 of 100. Every ending fits behind the common epochs."""
    settings = SETTINGS[name]
    endings = settings["sup_tickets"]["ending"]
    epochs, start = settings["train"]["epochs"], settings["sup_tickets"]["start"]
    superposing = {n: e["tickets"] * e.get("cycle", 0) for n, e in endings.items()}
    assert max(superposing.values()) == epochs - start
    if "cpu" not in name:
        assert superposing["cia"] == {250: 24, 100: 8}[epochs]


@pytest.mark.parametrize("before", names())
def test_what_stood_there_before_leaves_no_trace(before, params):
    main([before])
    main(["vgg16-cifar100"])
    assert params.read_text() == whole("vgg16-cifar100")


@pytest.mark.parametrize("name", names())
def test_every_key_of_a_setting_has_a_comment_on_its_line(name):
    """Names that a person chooses, and what stands below them, explain themselves."""
    text = whole(name)
    assert max(map(len, text.splitlines())) <= 100
    chosen = re.compile(
        r"(datasets|corrupt|variants)\.[^.]+|pooling\.recipes\..+|sup_tickets\.(training|ending)\..+"
    )
    keys = dict(first_lines(parsed(text)[1]))
    assert [at for at, line in keys.items() if "#" not in line and not chosen.fullmatch(at)] == []


def first_lines(entries: dict[str, Entry], above: str = "") -> Iterator[tuple[str, str]]:
    """Each key's dotted path and its line."""
    for key, entry in entries.items():
        yield above + key, entry.lines[0]
        yield from first_lines(entry.entries, f"{above}{key}.")


def test_a_preset_keeps_the_defaults_comments_and_adds_its_own(params):
    main(["resnet18-imagenet"])
    lines = params.read_text().splitlines()
    assert lines[0].startswith("# Lottery Pools: ResNet-18 on ImageNet")
    assert "  epochs: 90                  # passes over the training images" in "\n".join(lines)
    [crop] = [line for line in lines if "crop:" in line]
    assert "random-resized" in crop
    assert "scikit-learn" not in params.read_text()


def test_an_unknown_preset_is_refused_with_the_names_near_it(params, capsys):
    main(["default"])
    before = params.read_text()
    with pytest.raises(SystemExit) as end:
        main(["resnet-cifar10"])
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "resnet18-cifar10" in line
    assert "imagenet" not in line
    assert params.read_text() == before


def test_without_a_name_the_presets_are_listed_with_what_they_are(params, capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert all("." in line for line in lines)
    assert not params.exists()


def test_the_user_is_told_what_was_replaced(params, capsys):
    main(["default", "--to", str(params)])
    params.write_text(params.read_text().replace("epochs: 6 ", "epochs: 9 "))
    capsys.readouterr()
    main(["cifar10-cpu"])
    text = capsys.readouterr().out
    assert "before it was: The default experiment" in text
    assert "train.epochs: 9 → 6" in text
    [number] = re.findall(r"^values changed: (\d+)$", text, re.MULTILINE)
    assert text.count("\n  ") == int(number)


@pytest.mark.parametrize(
    "place", ["params.yaml/x.yaml", "/proc/self/x.yaml", f"{'x' * 300}.yaml", "x\0.yaml"]
)
def test_a_place_that_cannot_be_written_is_told_in_one_line(place, params, capsys):
    params.write_text("before")
    with pytest.raises(SystemExit) as end:
        main(["default", "--to", place])
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --to ")
    assert line.endswith("name another")
    assert [path.name for path in params.parent.iterdir()] == ["params.yaml"]


def test_a_link_stays_one_and_a_file_keeps_its_mode(params):
    real = params.with_name("real.yaml")
    real.write_text("before")
    real.chmod(0o440)
    params.symlink_to(real.name)
    main(["default"])
    assert params.is_symlink()
    assert real.read_text() == whole("default")
    assert real.stat().st_mode & 0o777 == 0o440


def test_a_reader_that_has_enough_ends_it_quietly():
    read, written = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "presets"]
    with open(written, "wb") as pipe:
        done = subprocess.run(
            command, cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_preset_with_a_fault_replaces_nothing(params, capsys, monkeypatch):
    main(["default"])
    before = params.read_text()
    broken = whole("vgg16-cifar10").replace("name: vgg16", "name: vgg61")
    monkeypatch.setattr("presets.__main__.whole", lambda _: broken)
    with pytest.raises(SystemExit) as end:
        main(["vgg16-cifar10"])
    assert end.value.code == 2
    assert "preset vgg16-cifar10: model" in capsys.readouterr().err
    assert params.read_text() == before
    assert [path.name for path in params.parent.iterdir()] == ["params.yaml"]


def test_a_preset_of_ones_own_is_a_file_anywhere(params):
    Path("mine.yaml").write_text("# Mine: fewer epochs.\n\ntrain:\n  epochs: 7\n")
    main(["mine.yaml"])
    text = params.read_text()
    assert text.startswith("# Mine: fewer epochs.\n")
    assert YAML(typ="safe").load(text)["train"]["epochs"] == 7
    assert "  epochs: 7                   # passes over the training images" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "mine.yaml: found no `name: value` lines; give what it changes"),
        ("- a\n", "mine.yaml: found no `name: value` lines; give what it changes"),
        ("train: [1\n", "mine.yaml: line 2 is not valid YAML"),
        ("train: 3\n", "mine.yaml: train: found 3; give a mapping"),
        ("train: {epochs: 1}\n", "mine.yaml: train.schedule.drops is [3, 4]"),
        ("sgd_noise: {crossed: []}\n", "mine.yaml: leaves no sgd_noise.transfer.targets; what st"),
        ("sup_tickets: {methods: []}\n", "mine.yaml: leaves no sup_tickets.ablated; what stands"),
        ("pooling: {}\n", "mine.yaml: leaves no pooling.methods; what stands in braces replaces"),
        ("dataset: flowers\n", "mine.yaml: dataset: 'flowers' is not in datasets"),
    ],
)
def test_a_file_that_is_no_preset_is_named_and_replaces_nothing(params, capsys, text, message):
    Path("mine.yaml").write_text(text)
    with pytest.raises(SystemExit) as end:
        main(["mine.yaml"])
    assert end.value.code == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not params.exists()
