"""Tickets, data sets, rows and official files that are damaged, foreign or of another run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from lp_core.checksums import sealed, tensors_digest
from lp_core.models.factory import build
from lp_core.tables import TABLES, write_table
from lp_core.tickets import Ticket
from tests.bad_input.table import (
    Case,
    Spoil,
    both,
    check,
    cut,
    flipped,
    nothing,
    params,
    removed,
    table,
    written,
)

OOD = "tasks.ood --variant base --seed 0 --ticket 1 --parent 0"
IMP = "tasks.imp --variant base --seed 0 --ticket 1 --parent 0"
LANDSCAPE = "tasks.landscape --variant base --seed 0"
TICKET = "tickets/base/0/1.safetensors"


def _header(**changes: Any) -> Spoil:
    """A ticket whose checksum is right, whatever its header says."""
    tensors = {"weight:w": torch.zeros(2)}
    header = {
        "format": "lottery-pools ticket 3",
        "digest": "0" * 32,
        "layout": {"order": ["w"], "prunable": [], "shapes": {}},
        "meta": {},
    }

    def spoil(root: Path) -> None:
        save_file(tensors, root / TICKET, {"ticket": sealed(json.dumps(header | changes))})

    return spoil


def _safetensors(metadata: dict[str, str] | None) -> Spoil:
    return lambda root: save_file({"x": torch.ones(1)}, root / TICKET, metadata)


def _copied(source: str, target: str) -> Spoil:
    def spoil(root: Path) -> None:
        (root / target).write_bytes((root / source).read_bytes())

    return spoil


def _network(name: str, classes: int = 10) -> Spoil:
    def spoil(root: Path) -> None:
        whole = Ticket.load(root / TICKET)
        other = build(name, classes, 1, 8, seed=0)
        mask = {n: torch.ones_like(p, dtype=torch.bool) for n, p in other.named_parameters()}
        Ticket.of(other, mask, whole.meta).save(root / TICKET)

    return spoil


def _absurd_shape(root: Path) -> None:
    tensors = {"mask:w": torch.tensor([255], dtype=torch.uint8), "kept:w": torch.zeros(2)}
    layout = {"order": ["w"], "prunable": ["w"], "shapes": {"w": [10**12, 10**12]}}
    digest = tensors_digest(json.dumps(layout, sort_keys=True), tensors)[:32]
    header = {"format": "lottery-pools ticket 3", "digest": digest, "layout": layout, "meta": {}}
    save_file(tensors, root / TICKET, {"ticket": sealed(json.dumps(header))})


def _folder(name: str) -> Spoil:
    def spoil(root: Path) -> None:
        (root / name).unlink()
        (root / name).mkdir()

    return spoil


def _ticket(name: str, spoil: Spoil, command: str = OOD) -> Case:
    return Case(name, spoil, command)


@table(
    "tickets",
    _ticket("missing", removed(TICKET)),
    _ticket("a-folder", _folder(TICKET)),
    _ticket("empty", written(TICKET, b"")),
    _ticket("cut", cut(TICKET)),
    _ticket("text", written(TICKET, "no space left on device")),
    _ticket("lfs-pointer", written(TICKET, "version https://git-lfs.github.com/spec/v1\n")),
    _ticket("flipped-header", flipped(TICKET, 0.001)),
    _ticket("flipped-tensor", flipped(TICKET, 0.9)),
    _ticket("flipped-last-byte", flipped(TICKET, 1)),
    _ticket("flipped-tensor-in-imp", flipped("tickets/base/0/0.safetensors", 0.7), IMP),
    _ticket("flipped-tensor-in-landscape", flipped(TICKET, 0.7), LANDSCAPE),
    _ticket("no-checksum", _safetensors({"ticket": "{}"})),
    _ticket("no-metadata", _safetensors(None)),
    _ticket("another-format", _header(format="lottery-pools ticket 99")),
    _ticket("meta-is-null", _header(meta=None)),
    _ticket("digest-is-another", _header()),
    _ticket("absurd-shape", _absurd_shape),
    _ticket("another-network", _network("resnet20")),
    _ticket("more-classes", _network("resnet8", 11)),
    _ticket("of-another-run", lambda r: _other_run(r), LANDSCAPE),
    _ticket("of-another-round", _copied("tickets/base/0/0.safetensors", TICKET)),
    _ticket("of-no-round", _copied("tickets/base/0/rewind.safetensors", TICKET)),
    _ticket(
        "of-no-round-in-landscape", _copied("tickets/base/0/rewind.safetensors", TICKET), LANDSCAPE
    ),
)
def test_a_ticket_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _other_run(root: Path) -> None:
    path = root / "tickets/base/0/0.safetensors"
    ticket = Ticket.load(path)
    next(iter(ticket.weights.values())).flatten()[0] += 1
    ticket.save(path)


@table(
    "data sets",
    Case("no-data-set", removed("data/digits/dataset.json"), OOD),
    Case("flipped-image", flipped("data/digits/test.images.npy"), OOD),
    Case("flipped-label", flipped("data/digits/val.labels.npy", 1), OOD),
    Case("flipped-description", flipped("data/digits/dataset.json"), OOD),
    Case("cut-array", cut("data/digits/train.images.npy"), OOD),
    Case("missing-array", removed("data/digits/train.images.npy"), OOD),
    Case("folder-for-array", _folder("data/digits/train.labels.npy"), OOD),
    Case("older-description", written("data/digits/dataset.json", '{"name": "digits"}'), OOD),
    Case("no-corrupted-set", removed("data/digits-C/corrupted.json"), OOD),
    Case("flipped-corrupted-image", flipped("data/digits-C/snow.npy"), OOD),
    Case("missing-corrupted-array", removed("data/digits-C/fog.npy"), OOD),
    Case("cut-corrupted-labels", cut("data/digits-C/labels.npy"), OOD),
    Case("flipped-manifest", flipped("data/digits-C/corrupted.json"), OOD),
)
def test_a_data_set_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
TABLE = "results/tickets.parquet"
ROWS = "rows/imp/base/0/0.json"


def _winners(root: Path) -> None:
    """A table with rows."""
    row = dict.fromkeys(TABLES["tickets"].names, 0)
    text = dict.fromkeys(("dataset", "model", "variant", "digest", "split"), "x")
    other = {"winning": True, "converged": True}
    rows = [row | text | other | {"seed": seed} for seed in range(50)]
    for line in rows:
        del line["run"]
    write_table("tickets", rows, root / "results", {"run": "x"})


@table(
    "rows",
    Case("incomplete", nothing, "tasks.tables"),
    Case("flipped", flipped(ROWS), "tasks.tables"),
    Case("cut", cut(ROWS), "tasks.tables"),
    Case("empty", written(ROWS, b""), "tasks.tables"),
    Case("other-bytes", written(ROWS, b"\xff\xfe"), "tasks.tables"),
    Case("another-shape", written(ROWS, sealed('{"head": []}')), "tasks.tables"),
    Case("older", written(ROWS, '{"head": {}, "tables": {}}'), "tasks.tables"),
    Case("foreign", written("rows/notes.json", "[1, 2]"), "tasks.tables"),
    Case("copied", _copied(ROWS, "rows/imp/base/0/0 (copy).json"), "tasks.tables"),
    Case("no-head", written(ROWS, sealed('{"head": {}, "tables": {}}')), "tasks.tables"),
    Case("folder", lambda root: (root / "rows/imp/base/0/2.json").mkdir(), "tasks.tables"),
    Case("no-tables", nothing, "tasks.report"),
    Case("empty-table", written(TABLE, b""), "tasks.report"),
    Case("table-is-a-pointer", written(TABLE, POINTER), "tasks.report"),
    Case("cut-table", both(_winners, cut(TABLE)), "tasks.report"),
    Case("flipped-table", both(_winners, flipped(TABLE, 0.02)), "tasks.report"),
)
def test_rows_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _official(change: Callable[[Path], Any] = lambda _: None) -> Spoil:
    """The official files of the twenty test images, and a fault in them."""

    def spoil(root: Path) -> None:
        folder = root / "digits-official"
        folder.mkdir()
        np.save(folder / "labels.npy", np.tile(np.arange(20) % 10, 5))
        for name in ("fog", "snow"):
            np.save(folder / f"{name}.npy", np.zeros((100, 8, 8, 1), np.uint8))
        source = {"source": "official", "path": "digits-official", "watch": "constraints.txt"}
        params({"corrupt/digits": source | {"corruptions": ["fog", "snow"]}})(root)
        change(folder)

    return spoil


def _saved(name: str, array: Any) -> Spoil:
    return _official(lambda folder: np.save(folder / name, array, allow_pickle=True))


CORRUPT = "tasks.corrupt --dataset digits"
IMAGES = np.zeros((100, 8, 8, 1), np.uint8)


@table(
    "official files",
    Case("missing-at-params", _official(lambda f: (f / "snow.npy").unlink()), "tasks.params"),
    Case("broken-link-at-params", _official(lambda f: _broken(f)), "tasks.params"),
    Case("missing", _official(lambda f: (f / "snow.npy").unlink()), CORRUPT),
    Case("no-labels", _official(lambda f: (f / "labels.npy").unlink()), CORRUPT),
    Case("cut", _official(lambda f: cut("snow.npy", -1)(f)), CORRUPT),
    Case("empty", _official(lambda f: written("snow.npy", b"")(f)), CORRUPT),
    Case("text", _official(lambda f: written("fog.npy", "404: Not Found")(f)), CORRUPT),
    Case("pickled", _saved("fog.npy", np.array([{}, None])), CORRUPT),
    Case("fewer-images", _saved("fog.npy", IMAGES[:99]), CORRUPT),
    Case("another-size", _saved("fog.npy", np.zeros((100, 9, 9, 1), np.uint8)), CORRUPT),
    Case("in-colour", _saved("fog.npy", np.zeros((100, 8, 8, 3), np.uint8)), CORRUPT),
    Case("of-floats", _saved("fog.npy", IMAGES.astype(np.float32)), CORRUPT),
    Case("other-labels", _saved("labels.npy", np.arange(100) % 7), CORRUPT),
    Case("fewer-labels", _saved("labels.npy", np.arange(19)), CORRUPT),
    Case("labels-in-two-axes", _saved("labels.npy", np.zeros((20, 1), int)), CORRUPT),
    Case("labels-are-a-number", _saved("labels.npy", np.array(5)), CORRUPT),
)
def test_official_files_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _broken(folder: Path) -> None:
    (folder / "snow.npy").unlink()
    (folder / "snow.npy").symlink_to("nowhere.npy")
