"""Folders of images, Parquet files and downloads that cannot become a data set."""

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from tests.bad_input.table import Case, Spoil, both, check, cut, params, removed, table, written

COMMAND = "tasks.dataset --dataset digits"


def _png(side: int = 8, value: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((side, side), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def _folder(root: Path) -> None:
    """Two classes with ten images each."""
    for name in ("train/cat", "train/dog"):
        for number in range(10):
            written(f"images/{name}/{number}.png", _png(value=number))(root)
    params({"datasets/digits": {"source": "folder", "path": "images", "watch": "images"}})(root)


def _streamed(root: Path) -> None:
    _folder(root)
    params({"datasets/digits/stream": True, "datasets/digits/size": 8})(root)


def _pipe(name: str) -> Spoil:
    def spoil(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return spoil


def _link(name: str) -> Spoil:
    def spoil(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to("nowhere")

    return spoil


def _images(name: str, *spoils: Spoil, made: Spoil = _folder) -> Case:
    return Case(name, both(made, *spoils), COMMAND)


DOG = "images/train/dog"


@table(
    "image folders",
    _images("empty-image", written(f"{DOG}/3.png", b"")),
    _images("cut-image", cut(f"{DOG}/3.png", 50)),
    _images("text-image", written(f"{DOG}/3.png", "not found")),
    _images("image-is-a-link-to-nothing", _link(f"{DOG}/3.png")),
    _images("image-is-a-pipe", _pipe(f"{DOG}/3.png")),
    _images("another-size", written(f"{DOG}/3.png", _png(9))),
    _images("class-without-images", written("images/train/eel/note.txt", "soon")),
    _images(
        "unknown-class",
        written("images/test/cat/1.png", _png()),
        written("images/test/eel/1.png", _png()),
    ),
    _images("test-without-classes", written("images/val/1.png", _png())),
    _images(
        "no-classes", written("other/1.png", _png()), params({"datasets/digits/path": "other"})
    ),
    _images(
        "no-train",
        written("other/val/cat/1.png", _png()),
        params({"datasets/digits/path": "other"}),
    ),
    _images("no-folder", params({"datasets/digits/path": "nowhere"})),
    _images("too-few-to-hold-out", params({"datasets/digits/val_fraction": 0.01})),
    _images("streamed-pipe", _pipe(f"{DOG}/3.png"), made=_streamed),
    _images("streamed-link-to-nothing", _link(f"{DOG}/3.png"), made=_streamed),
    _images("streamed-text", written(f"{DOG}/3.png", "not found"), made=_streamed),
    _images("annotation-of-no-class", written("images/val/val_annotations.txt", "1.png\teel\t0\n")),
    _images("annotations-in-latin-1", written("images/val/val_annotations.txt", b"1.png\t\xe9\n")),
    _images("no-annotations", written("images/val/val_annotations.txt", "")),
)
def test_a_folder_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


TRAIN = "hub/train-00000-of-00001.parquet"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def _table(change: Callable[[dict[str, Any]], Any] = lambda _: None, names: bool = True) -> Spoil:
    """Twenty images of two classes, put through a change of the columns."""

    def spoil(root: Path) -> None:
        columns: dict[str, Any] = {
            "image": [{"bytes": _png(value=k), "path": f"{k}.png"} for k in range(20)],
            "label": pa.array([k % 2 for k in range(20)]),
        }
        change(columns)
        features = {"label": {"names": ["cat", "dog"]}} if names else {}
        about = {"huggingface": json.dumps({"info": {"features": features}})}
        (root / "hub").mkdir()
        made = pa.table(columns).replace_schema_metadata(about)
        parquet.write_table(made, root / TRAIN, row_group_size=5)
        params({"datasets/digits": {"source": "parquet", "path": "hub", "watch": "hub"}})(root)

    return spoil


def _labels(*labels: Any, kind: Any = None) -> Callable[[dict[str, Any]], Any]:
    return lambda columns: columns.update(
        label=pa.array([*labels, *[k % 2 for k in range(20 - len(labels))]], kind)
    )


def _of_names(root: Path) -> None:
    """Labels are names, one of which only a test image has."""
    for split, names in (("train", ["cat", "dog"]), ("test", ["cat", "eel"])):
        images = pa.array([_png(), _png()])
        made = pa.table({"image": images, "label": pa.array(names)})
        (root / "hub").mkdir(exist_ok=True)
        parquet.write_table(made, root / f"hub/{split}-0.parquet")
    (root / "hub/train-0.parquet").rename(root / TRAIN)
    params({"datasets/digits": {"source": "parquet", "path": "hub", "watch": "hub"}})(root)


def _parquet(name: str, *spoils: Spoil, made: Spoil | None = None) -> Case:
    return Case(name, both(made or _table(), *spoils), COMMAND)


@table(
    "parquet",
    _parquet("empty", written(TRAIN, b"")),
    _parquet("cut", cut(TRAIN, -100)),
    _parquet("cut-at-the-front", written(TRAIN, b"PAR1")),
    _parquet("lfs-pointer", written(TRAIN, POINTER)),
    _parquet("text", written(TRAIN, "404: Not Found")),
    _parquet("pipe", _pipe(TRAIN)),
    _parquet("link-to-nothing", _link(TRAIN)),
    _parquet("damaged-page", lambda root: _overwrite(root / TRAIN, 40)),
    _parquet("pointer-as-test", written("hub/test-00000-of-00001.parquet", POINTER)),
    _parquet("no-train", removed(TRAIN), written("hub/test-0.parquet", POINTER)),
    _parquet("no-label-column", made=_table(lambda c: c.pop("label"))),
    _parquet("no-image-column", made=_table(lambda c: c.pop("image"))),
    _parquet("image-is-text", made=_table(lambda c: c.update(image=["x"] * 20))),
    _parquet("label-is-a-fraction", made=_table(lambda c: c.update(label=[0.5] * 20))),
    _parquet("label-of-no-training-image", made=_of_names),
    _parquet("no-such-column", params({"datasets/digits/label_column": "species"})),
    _parquet(
        "path-without-bytes",
        made=_table(lambda c: c["image"].__setitem__(3, {"bytes": None, "path": "3.png"})),
    ),
    _parquet("label-is-missing", made=_table(_labels(None, kind=pa.int64()))),
    _parquet("label-2", made=_table(_labels(2))),
    _parquet("label-2-62", made=_table(_labels(2**62))),
    _parquet("label-2-62-without-names", made=_table(_labels(2**62), names=False)),
    _parquet("label-2-63", made=_table(_labels(2**63, kind=pa.uint64()))),
    _parquet("negative-label", made=_table(_labels(-2))),
    _parquet("no-labels", made=_table(_labels(*[-1] * 20))),
    _parquet("class-without-images", made=_table(_labels(*[0] * 20))),
    _parquet(
        "image-is-no-image",
        made=_table(lambda c: c["image"].__setitem__(3, {"bytes": b"GIF8", "path": ""})),
    ),
)
def test_a_parquet_file_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _saved(root: Path) -> None:
    """A `DatasetDict` of one split in two files, ten images of two classes in each."""
    home = root / "saved/train"
    home.mkdir(parents=True)
    names = [f"data-0000{k}-of-00002.arrow" for k in range(2)]
    for name in names:
        images = [{"bytes": _png(value=k), "path": f"{k}.png"} for k in range(10)]
        made = pa.table({"image": images, "label": [k % 2 for k in range(10)]})
        _stream(home / name, made)
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    for file, content in (
        (home.parent / "dataset_dict.json", {"splits": ["train"]}),
        (home / "state.json", {"_data_files": [{"filename": name} for name in names]}),
        (home / "dataset_info.json", {"features": features}),
    ):
        file.write_text(json.dumps(content))
    params({"datasets/digits": {"source": "arrow", "path": "saved", "watch": "saved"}})(root)


def _stream(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)


def _mislabelled(root: Path) -> None:
    made = pa.table({"image": [{"bytes": _png()}] * 3, "label": [0, 1, 7]})
    _stream(root / SHARD, made)


SHARD = "saved/train/data-00001-of-00002.arrow"
STATE = "saved/train/state.json"


def _arrow(name: str, *spoils: Spoil) -> Case:
    return Case(name, both(_saved, *spoils), COMMAND)


@table(
    "arrow",
    _arrow("not-saved-to-disk", removed("saved/dataset_dict.json")),
    _arrow("no-training-split", written("saved/dataset_dict.json", '{"splits": ["testing"]}')),
    _arrow("splits-in-no-list", written("saved/dataset_dict.json", "{}")),
    _arrow("state-is-cut", cut(STATE, -10)),
    _arrow("state-is-missing", removed(STATE)),
    _arrow("state-is-a-list", written(STATE, "[]")),
    _arrow("files-without-names", written(STATE, '{"_data_files": ["data.arrow"]}')),
    _arrow("chosen-by-indices", written(STATE, '{"_indices_data_files": [{"filename": "i"}]}')),
    _arrow("shard-is-missing", removed(SHARD)),
    _arrow("shard-is-empty", written(SHARD, b"")),
    _arrow("shard-is-cut", cut(SHARD, -1000)),
    _arrow("shard-is-a-pointer", written(SHARD, POINTER)),
    _arrow("shard-is-text", written(SHARD, "404: Not Found")),
    _arrow("label-out-of-range", _mislabelled),
)
def test_a_saved_set_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


def _overwrite(path: Path, count: int) -> None:
    """In the middle of the images."""
    content = bytearray(path.read_bytes())
    content[60 : 60 + count] = bytes([255]) * count
    path.write_bytes(content)


def _cifar(labels: list[int], damage: Callable[[Path], Any] = lambda _: None) -> Spoil:
    """CIFAR-10 as torchvision unpacks it, a few images a file; checksums aside."""

    def spoil(root: Path) -> None:
        folder = root / "downloads/cifar-10-batches-py"
        folder.mkdir(parents=True)
        for name in (*[f"data_batch_{k}" for k in range(1, 6)], "test_batch"):
            entry = {"data": np.zeros((10, 3072), np.uint8), "labels": labels}
            (folder / name).write_bytes(pickle.dumps(entry))
        damage(folder)
        cifar = {"source": "cifar10", "path": "downloads", "watch": "constraints.txt"}
        params({"datasets/digits": cifar})(root)

    return spoil


@table(
    "downloads",
    Case("not-downloaded", both(_cifar([0]), params({"datasets/digits/path": "."})), COMMAND),
    Case("of-another-checksum", _cifar(list(range(10))), COMMAND),
)
def test_a_download_with_a_fault(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)
