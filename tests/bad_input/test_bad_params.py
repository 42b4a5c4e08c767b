"""Params with a fault: `python -m tasks.params` names the key, before anything runs."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_input.table import Case, Spoil, check, params, removed, table, written

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def _file(name: str, content: bytes | str) -> Case:
    return Case(name, written("params.yaml", content), "tasks.params")


@table(
    "params files",
    Case("missing", removed("params.yaml"), "tasks.params"),
    _file("empty", ""),
    _file("a-list", "- 1\n- 2\n"),
    _file("a-word", "params"),
    _file("latin-1", "dataset: digits\n# café\n".encode("latin-1")),
    _file("utf-16", "dataset: digits\n".encode("utf-16")),
    _file("a-pickle", b"\x80\x04\x95\x00"),
    _file("nul", "a: \x00\n"),
    _file("open-bracket", "seeds: [0\ngrid: [base]\n"),
    _file("tab", "train:\n\tepochs: 1\n"),
    _file("key-twice", "seeds: [0]\nseeds: [1]\n"),
    _file("no-such-day", "seeds: 2024-02-30\n"),
    _file("python-object", "seeds: !!python/object:os.system {}\n"),
    _file("two-documents", "seeds: [0]\n---\nseeds: [1]\n"),
    _file("no-such-alias", "seeds: *ten\n"),
    _file("recursive-list", "seeds: &a [*a]\n"),
    _file("recursive-mapping", "train: &a {epochs: *a}\n"),
    _file("billion-laughs", LAUGHS),
    _file("merged-laughs", re.sub("(\\[\\*.*\\])", "{<<: \\1}", LAUGHS)),
    _file("deep", f"seeds: {'[' * 200000}"),
    _file("long-number", f"seeds: [{'9' * 5000}]"),
)
def test_a_file_that_is_no_params_file(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _value(name: str, changes: dict[str, Any]) -> Case:
    return Case(name, params(changes), "tasks.params")


@table(
    "values",
    _value("unknown-key", {"train/epoch": 3}),
    _value("dotted-key", {"rewind.epochs": 3}),
    _value("missing-key", {"train/epochs": ...}),
    _value("missing-section", {"pooling": ...}),
    _value("text-for-number", {"train/epochs": "six"}),
    _value("fraction-for-whole", {"train/epochs": 1.5}),
    _value("no-epochs", {"train/epochs": 0}),
    _value("late-drop", {"train/schedule/drops": [3, 9]}),
    _value("drops-backwards", {"train/schedule/drops": [5, 3]}),
    _value("no-rate", {"train/schedule/lr": 0}),
    _value("unknown-schedule", {"train/schedule/kind": "cosin"}),
    _value("momentum-1", {"train/momentum": 1.0}),
    _value("no-batch", {"train/batch_size": 0}),
    _value("uneven-devices", {"train/devices": 3}),
    _value("init-2-63", {"train/init": 2**63}),
    _value("negative-crop", {"train/augment/crop": -1}),
    _value("rewind-after-end", {"rewind/epochs": 6}),
    _value("no-seeds", {"seeds": []}),
    _value("null-seeds", {"seeds": None}),
    _value("scalar-seeds", {"seeds": 0}),
    _value("negative-seed", {"seeds": [-1]}),
    _value("seed-2-63", {"seeds": [2**63]}),
    _value("seed-1e30", {"seeds": [1e30]}),
    _value("seed-twice", {"seeds": [1, 1]}),
    _value("dataset-seed-2-63", {"datasets/digits/seed": 2**63}),
    _value("corrupt-seed-2-63", {"corrupt/digits/seed": 2**63}),
    _value("negative-corrupt-seed", {"corrupt/digits/seed": -1}),
    _value("threads-100000", {"compute/threads": 100000}),
    _value("threads-1e30", {"compute/threads": 1e30}),
    _value("device-meta", {"compute/device": "meta"}),
    _value("device-mps", {"compute/device": "mps"}),
    _value("precision-fp8", {"compute/precision": "fp8"}),
    _value("unknown-model", {"model/name": "resnet19"}),
    _value("no-such-stem", {"model/stem": "imagenet"}),
    _value("broken-chain", {"imp/rounds/1/parent": 1}),
    _value("odd-parent", {"imp/rounds/1/parent": "0"}),
    _value("ticket-twice", {"imp/rounds/1/ticket": 0}),
    _value("prune-all", {"imp/fraction": 1}),
    _value("unknown-dataset", {"dataset": "cifar10"}),
    _value("unknown-source", {"datasets/digits/source": "cifar"}),
    _value("huge-images", {"datasets/digits/size": 10**9}),
    _value("no-held-out", {"datasets/digits/val_fraction": 0}),
    _value("unknown-corruption", {"corrupt/digits/corruptions": ["fogg"]}),
    _value("severity-6", {"corrupt/digits/severities": [6]}),
    _value("unknown-grid", {"grid": ["base", "wide"]}),
    _value("unknown-recipe", {"pooling/recipes/swa/recipe": "swan"}),
    _value("decay-2", {"pooling/recipes/ema/decay": 2}),
    _value("too-many-siblings", {"pooling/recipes/swa/candidates": 2}),
    _value("variant-of-data", {"variants/no-rewind": {"seeds": [1]}}),
    _value("variant-is-a-number", {"variants/no-rewind": 3}),
)
def test_a_wrong_value(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


DIGITS = {"source": "digits", "watch": "constraints.txt"}
LONG = "a" * 300


@table(
    "names",
    _value("variant-of-300-letters", {f"variants/{LONG}": {}}),
    _value("variant-with-hyphen-first", {"variants/-x": {}}),
    _value("variant-with-space", {"variants/a b": {}}),
    _value("variant-is-a-path", {"variants/..": {}}),
    _value("method-with-hyphen-first", {"pooling/recipes/--help": {"recipe": "swa"}}),
    _value("method-of-300-letters", {f"pooling/recipes/{LONG}": {"recipe": "swa"}}),
    _value("method-called-ticket", {"pooling/recipes/ticket": {"recipe": "swa"}}),
    _value("dataset-of-300-letters", {f"datasets/{LONG}": DIGITS}),
    _value("dataset-with-hyphen-first", {"datasets/-rf": DIGITS}),
    Case("name-that-is-a-number", written("params.yaml", "variants: {1: {}}"), "tasks.params"),
    _value("dataset-of-corrupted", {"datasets/digits-C": DIGITS}),
)
def test_a_name_that_cannot_be_a_folders(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


@table(
    "places",
    _value("no-watch", {"datasets/digits/watch": ...}),
    _value("empty-watch", {"datasets/digits/watch": ""}),
    _value("absent-watch", {"datasets/digits/watch": "nowhere"}),
    _value("watch-of-300-letters", {"datasets/digits/watch": LONG}),
    _value("watch-with-nul", {"corrupt/digits/watch": "a\x00b"}),
    _value("watch-results", {"datasets/digits/watch": "results/"}),
    _value("watch-everything", {"corrupt/digits/watch": "."}),
    _value("watch-itself", {"datasets/digits/watch": "data/digits/dataset.json"}),
    _value(
        "images-where-they-go",
        {"datasets/digits": DIGITS | {"source": "folder", "path": "data/digits"}},
    ),
    _value("no-folder", {"datasets/digits": DIGITS | {"source": "folder", "path": "x"}}),
    _value("no-path", {"datasets/digits/source": "folder"}),
    _value("path-of-digits", {"datasets/digits/path": "x"}),
)
def test_a_place_that_cannot_be_read(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _watched(make: Callable[[Path], None]) -> Spoil:
    def spoil(root: Path) -> None:
        (root / "watched").mkdir()
        make(root / "watched/images")
        params({"datasets/digits/watch": "watched"})(root)

    return spoil


@table(
    "watched folders",
    Case("broken-link", _watched(lambda path: path.symlink_to("nowhere")), "tasks.params"),
    Case("pipe", _watched(os.mkfifo), "tasks.params"),
)
def test_a_watched_folder_that_dvc_cannot_read(
    case: Case, root: Path, monkeypatch: Any, capsys: Any
):
    check(case, root, monkeypatch, capsys)
