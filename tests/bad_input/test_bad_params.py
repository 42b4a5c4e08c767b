"""Params with a fault: `python -m tasks.params` names the key, before anything runs."""

import os
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bad_input.table import Case, Spoil, check, params, removed, run, table, written

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
    _value("columns-of-a-folder", {"datasets/digits/image_column": "pixels"}),
    _value("mean-alone", {"datasets/digits/mean": [0.5]}),
    _value(
        "mean-and-std-of-two",
        {"datasets/digits/mean": [0.5, 0.5], "datasets/digits/std": [0.5, 0.5]},
    ),
    _value("mean-in-levels", {"datasets/digits/mean": [33.3], "datasets/digits/std": [0.5]}),
    _value("no-deviation", {"datasets/digits/mean": [0.5], "datasets/digits/std": [0.0]}),
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


def _sup(name: str, changes: dict[str, Any]) -> Case:
    return _value(name, {f"sup_tickets/{key}": value for key, value in changes.items()})


_TEN: dict[str, Any] = {"recipe": "rigl", "density": 0.1}


@table(
    "sup-tickets",
    _sup("unknown-key", {"cycles": 3}),
    _sup("missing-key", {"start": ...}),
    _sup("unknown-variant", {"variants": ["wide"], "siblings/methods": []}),
    _sup("unknown-method", {"methods": ["dense", "rigl", "granet", "sett"]}),
    _sup("no-methods", {"methods": [], "ablated": [], "ensembles": [], "siblings/methods": []}),
    _sup("method-twice", {"methods": ["dense", "rigl", "granet", "rigl"]}),
    _sup("unknown-training", {"training/rigl/recipe": "riggle"}),
    _sup("no-training", {"training/rigl/recipe": ...}),
    _sup("no-density", {"training/rigl/density": ...}),
    _sup("density-0", {"training/rigl/density": 0}),
    _sup("density-10", {"training/rigl/density": 10}),
    _sup("sparse-dense", {"training/dense/density": 0.5}),
    _sup("static-interval", {"training/erk/interval": 10}),
    _sup("interval-0", {"training/rigl/interval": 0}),
    _sup("half-interval", {"training/rigl/interval": 1.5}),
    _sup("prune-rate-1", {"training/rigl/prune_rate": 1}),
    _sup("unknown-decay", {"training/rigl/decay": "linear"}),
    _sup("unknown-layers", {"training/rigl/layers": "er"}),
    _sup("late-last-update", {"training/rigl/last_update": 7}),
    _sup("no-until", {"training/granet/until": ...}),
    _sup("until-in-cycles", {"training/granet/until": 5}),
    _sup("last-update-before-until", {"training/granet/last_update": 2}),
    _sup("thin-beginning", {"training/granet/initial_density": 0.05}),
    _sup("unknown-ending", {"endings": ["plain", "cia", "cai"]}),
    _sup("no-endings", {"endings": [], "corrupted": [], "ensembles": [], "siblings/methods": []}),
    _sup("ending-and-ablation", {"ablations": ["search", "cia"]}),
    _sup("ablations-of-nobody", {"ablated": ["set"]}),
    _sup("corrupted-but-not-trained", {"corrupted": ["plain", "caa"]}),
    _sup("no-tickets", {"ending/cia/tickets": ...}),
    _sup("negative-tickets", {"ending/cia/tickets": -1}),
    _sup("plain-with-cycle", {"ending/plain/cycle": 1}),
    _sup("plain-that-is-not", {"ending/plain/tickets": 2, "ending/plain/cycle": 1}),
    _sup("cycle-0", {"ending/cia/cycle": 0}),
    _sup("too-many-cycles", {"ending/cia/cycle": 2}),
    _sup("unknown-average", {"ending/cia/average": "mean"}),
    _sup("beta-of-cia", {"ending/cia/beta": 0.5}),
    _sup("beta-2", {"ending/cima/beta": 2}),
    _sup("unknown-schedule", {"ending/cia/schedule": "cosine"}),
    _sup("rates-swapped", {"ending/cia/lr1": 0.01}),
    _sup("no-rate", {"ending/cia/lr1": 0}),
    _sup("explore-all", {"ending/cia/prune_rate": 1}),
    _sup("unknown-batch-norm", {"ending/cia/batch_norm": "mean"}),
    _sup("search-of-one", {"ending/search/tickets": 1}),
    _sup("search-re-estimated", {"ending/search/batch_norm": "re-estimate"}),
    _sup("start-0", {"start": 0}),
    _sup("start-at-the-end", {"start": 6}),
    _sup("one-calibration-image", {"ending/search/calibration_images": 1}),
    _sup("calibration-of-averages", {"ending/cia/calibration_images": 512}),
    _sup("prunable-biases", {"prunable": "all"}),
    _sup("ensemble-of-nobody", {"ensembles": ["erk"]}),
    _sup("ensemble-without-plain", {"endings": ["cia"], "corrupted": ["cia"]}),
    _sup("unknown-ensemble", {"efficient_ensembles": ["forest"]}),
    _sup("sibling-of-nobody", {"siblings/methods": ["erk"]}),
    _sup("sibling-of-no-ending", {"siblings/ending": "caa"}),
    _sup("sibling-of-no-pool", {"siblings/pool": "candidates-1"}),
    _value("sibling-without-pools", {"pooling/variants": []}),
    _value("nothing-to-do", {"grid": [], "pooling/variants": [], "sup_tickets/variants": []}),
    _value(
        "grid-off-alone",
        {"grid": [], "sup_tickets/siblings/methods": []},
    ),
    _sup("method-with-dot", {"training/a.b": _TEN}),
    _sup("ending-with-hyphen-first", {"ending/-x": {"tickets": 1, "cycle": 1}}),
    _sup("plain-under-another-name", {"ending/other": {"tickets": 0}}),
    _sup("method-of-an-ensemble", {"training/tree-net": _TEN}),
    _sup(
        "stage-twice",
        {
            "training/rigl-a": _TEN,
            "ending/a-plain": {"tickets": 1, "cycle": 1},
            "methods": ["dense", "rigl", "granet", "rigl-a"],
            "endings": ["plain", "cia", "a-plain"],
        },
    ),
    _value(
        "short-variant", {"variants/base": {"train": {"epochs": 4, "schedule": {"drops": [3]}}}}
    ),
)
def test_a_wrong_value_of_sup_tickets(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def test_either_flow_can_be_switched_off(root: Path, monkeypatch: Any):
    either: list[dict[str, list[str]]] = [
        {"sup_tickets/variants": []},
        {"grid": [], "pooling/variants": [], "sup_tickets/siblings/methods": []},
    ]
    for off in either:
        params(off)(root)
        assert run("tasks.params", monkeypatch) == 0
        params({"sup_tickets/variants": ["base"]})(root)


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
    _value("variant-called-predictors", {"variants/predictors": {}}),
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


def _noise(name: str, changes: dict[str, Any], **others: Any) -> Case:
    """With the flow switched on."""
    section = {"variants": ["base"]} | changes
    return _value(name, {f"sgd_noise/{key}": value for key, value in section.items()} | others)


def _chain(*steps: int | str) -> list[dict[str, int | str]]:
    return [{"step": step, "after": after} for after, step in pairwise(steps)]


_SUBSETS: dict[str, Any] = {"variants": ["base"], "removed": ["hardest-30"]}
_FEW: dict[str, Any] = {
    "tickets": [1],
    "networks": ["ticket"],
    "percent": [10],
    "selections": ["most-forgotten"],
}
_CHAIN = _chain("start", 1, 2, 3, 4)  # for 6 epochs: 3 probes of the search, and one to check
_SEARCH: dict[str, Any] = {"variants": ["base", "no-rewind"], "steps": _CHAIN}
_CROSSED: dict[str, Any] = {
    "crossed": [{"masks": "base", "training": "no-rewind"}],
    "crossed_tickets": [1],
}


@table(
    "sgd-noise",
    _noise("unknown-key", {"tickets": [1]}),
    _noise("missing-key", {"threshold": ...}),
    _noise("unknown-variant", {"variants": ["wide"]}),
    _noise("variant-twice", {"variants": ["base", "base"]}),
    _noise("one-noise", {"noise": [1]}),
    _noise("noise-twice", {"noise": [1, 1]}),
    _noise("negative-noise", {"noise": [1, -1]}),
    _noise("half-noise", {"noise": [1, 1.5]}),
    _noise("no-starts", {"starts": []}),
    _noise("start-of-no-ticket", {"starts": ["rewind", 7]}),
    _noise("start-in-words", {"starts": ["init"]}),
    _noise("start-twice", {"starts": ["rewind", "rewind"]}),
    _noise("threshold-2", {"threshold": 2}),
    _noise("subset-of-no-fork", {"subsets": _SUBSETS | {"variants": ["no-rewind"]}}),
    _noise("subset-of-all", {"subsets": _SUBSETS | {"removed": ["hardest-100"]}}),
    _noise("subset-of-nobody", {"subsets": _SUBSETS | {"removed": ["hard"]}}),
    _noise("subset-twice", {"subsets": _SUBSETS | {"removed": ["hardest-3", "hardest-3"]}}),
    _noise("subset-without-forgetting", {"starts": [1], "subsets": _SUBSETS}),
    _noise("few-without-forgetting", {"starts": [1], "few_shot": _FEW}),
    _noise("percent-0", {"few_shot": _FEW | {"percent": [0]}}),
    _noise("percent-101", {"few_shot": _FEW | {"percent": [101]}}),
    _noise("few-of-no-ticket", {"few_shot": _FEW | {"tickets": [2]}}),
    _noise("unknown-network", {"few_shot": _FEW | {"networks": ["random"]}}),
    _noise("unknown-selection", {"few_shot": _FEW | {"selections": ["random"]}}),
    _noise("crossed-with-nobody", {"crossed": [{"masks": "base", "training": "wide"}]}),
    _noise("crossed-without-tickets", _CROSSED | {"crossed_tickets": []}),
    _noise("crossed-twice", _CROSSED | {"crossed": _CROSSED["crossed"] * 2}),
    _noise("crossed-no-ticket", _CROSSED | {"crossed_tickets": [5]}),
    _noise("crossed-networks", _CROSSED, **{"variants/no-rewind": {"model": {"name": "resnet20"}}}),
    _noise(
        "crossed-prunable", _CROSSED, **{"variants/no-rewind": {"imp": {"prunable": "conv+linear"}}}
    ),
    _noise(
        "crossed-too-short",
        _CROSSED,
        **{
            "variants/no-rewind": {
                "rewind": {"epochs": 0},
                "train": {"epochs": 2, "schedule": {"drops": [1]}},
            }
        },
    ),
    _noise("probe-of-no-ticket", {"probes/tickets": [9]}),
    _noise("probe-lr-0", {"probes/lr": 0}),
    _noise("probe-batch-0", {"probes/batch_size": 0}),
    _noise("probe-batch-2-63", {"probes/batch_size": 2**63}),
    _noise("probe-epochs-2-63", {"probes/epochs": 2**63}),
    _noise("probe-epochs-1e30", {"probes/epochs": 1e30}),
    _noise("probes-in-words", {"probes": "base"}),
    _noise("transfer-to-nowhere", {"transfer": {"tickets": [1], "targets": ["mnist"]}}),
    _noise("transfer-to-itself", {"transfer": {"tickets": [1], "targets": ["digits"]}}),
    _noise("search-of-nobody", {"stable_rewind": _SEARCH | {"variants": ["wide"]}}),
    _noise("search-too-short", {"stable_rewind": _SEARCH | {"steps": _CHAIN[:3]}}),
    _noise("search-broken", {"stable_rewind": _SEARCH | {"steps": _CHAIN[:1] + _CHAIN[2:]}}),
    _noise(
        "search-in-a-circle", {"stable_rewind": _SEARCH | {"steps": _chain("start", 1, 2, 1, 3)}}
    ),
    _noise(
        "search-of-minus-1", {"stable_rewind": _SEARCH | {"steps": _chain("start", -1, 0, 1, 2)}}
    ),
    _noise("search-without-start", {"stable_rewind": _SEARCH | {"steps": _CHAIN[1:]}}),
    _noise("crossed-but-off", {"variants": []} | _CROSSED),
    _noise("subsets-but-off", {"variants": [], "subsets": _SUBSETS}),
    _noise("search-but-off", {"variants": [], "stable_rewind": _SEARCH}),
    _noise(
        "stable-but-not-searched",
        {"variants": []},
        **{"rewind/mode": "stable", "grid": ["base"], "variants/no-rewind": {}},
    ),
    _noise("stable-and-fixed", {"stable_rewind": _SEARCH}, **{"rewind/mode": "stable"}),
    _value("mode-of-a-variant", {"variants/base": {"rewind": {"mode": "stable"}}}),
    _value("unknown-mode", {"rewind/mode": "late"}),
    _value("watch-in-forks", {"datasets/digits/watch": "forks/x"}),
)
def test_a_wrong_value_of_sgd_noise(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def test_what_is_trained_twice_is_told_and_not_refused(root: Path, monkeypatch: Any, capsys: Any):
    section = {"variants": ["base"], "starts": ["rewind", 0]}
    few = _FEW | {"tickets": [0], "networks": ["ticket", "permuted"]}
    _noise("", section | {"few_shot": few}).spoil(root)
    assert run("tasks.params", monkeypatch) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[2] for line in told] == ["sgd_noise.starts", "sgd_noise.few_shot"]
