"""Parquet folders as the Hugging Face hub serves image sets: an image column of {bytes, path}.

A split is the files whose names start with its name: train-00000-of-00001.parquet, and so on.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from lp_core.data.images import Picture, require_file
from lp_core.data.sources.examples import Examples, Published
from lp_core.errors import InputError, MissingInputError

_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("label", "fine_label")
_SPLIT_FILES = {"train": ("train",), "val": ("valid", "validation", "val"), "test": ("test",)}
_LFS = b"version https://git-lfs"
_LARGEST = np.iinfo(np.int64).max
_UNLABELLED = -1  # what the hub writes where labels are withheld


def read_parquet(path: str) -> Published:
    """All splits of the folder `path`; a test split without labels is left out.

    Raises MissingInputError where the folder or its training files are missing, and InputError,
    naming file and row, for columns or labels that are not as described above.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise MissingInputError(f"{path} is not a folder; path must name one of Parquet files")
    files = {split: _files(folder, starts) for split, starts in _SPLIT_FILES.items()}
    if not files["train"]:
        raise MissingInputError(f"{path} has no train-*.parquet; name the folder that has")
    classes = _class_names(files["train"][0])
    splits = {split: _read(paths) for split, paths in files.items() if paths}
    if (splits["train"].labels == _UNLABELLED).all():
        raise InputError(f"{path} has no labels for its training images; fetch those that have")
    splits = {name: part for name, part in splits.items() if (part.labels != _UNLABELLED).any()}
    # Unnamed classes are as many as the labels tell, and each has an image to train on.
    known = len(splits["train"]) if classes is None else len(classes)
    for part in splits.values():
        _require_known_labels(part, known)
    if classes is None:
        classes = [str(label) for label in range(int(splits["train"].labels.max()) + 1)]
    return Published(classes, splits)


def _files(folder: Path, starts: tuple[str, ...]) -> list[Path]:
    return sorted(
        file
        for file in folder.glob("*.parquet")
        if file.name.removesuffix(".parquet").split("-")[0] in starts
    )


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Whatever is wrong with the file becomes one line that says what would do."""
    try:
        require_file(str(file))
        with file.open("rb") as start:
            if start.read(len(_LFS)) == _LFS:
                raise InputError(
                    f"{file} is a Git LFS pointer, not the file itself; run `git lfs pull` where "
                    "it comes from"
                )
        yield
    except (pa.ArrowException, OSError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"{file} is not a whole Parquet file ({reason}); fetch it again"
        ) from error


def _schema(file: Path) -> pa.Schema:
    with _reading(file):
        return parquet.read_schema(file)


def _column(file: Path, names: list[str], known: tuple[str, ...]) -> str:
    for name in known:
        if name in names:
            return name
    raise InputError(
        f"{file} has columns {', '.join(names)}; none is named {' or '.join(known)}; rename one"
    )


def _class_names(file: Path) -> list[str] | None:
    """Names by label from the metadata that the hub keeps in the schema; None where it has none."""
    schema = _schema(file)
    label = _column(file, schema.names, _LABEL_COLUMNS)
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in described["info"]["features"][label]["names"]]
    except (KeyError, TypeError, ValueError):
        return None


def _read(files: list[Path]) -> Examples:
    pictures: list[Picture] = []
    labels: list[NDArray[np.int64]] = []
    for file in files:
        schema = _schema(file)
        image = _column(file, schema.names, _IMAGE_COLUMNS)
        label = _column(file, schema.names, _LABEL_COLUMNS)
        kind = schema.field(image).type
        if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
            raise InputError(
                f"{file}: column {image} is {kind}, not a struct of bytes and path; store the "
                "encoded images so"
            )
        if not pa.types.is_integer(schema.field(label).type):
            raise InputError(
                f"{file}: column {label} is {schema.field(label).type}, not integer; number the "
                "classes from 0"
            )
        with _reading(file):
            table = parquet.read_table(file, columns=[image, label])
        for column in (image, label):
            if table[column].null_count:
                row = table[column].is_null().to_pylist().index(True)
                raise InputError(
                    f"{file}, row {row}: {column} is missing; fill it in, or drop the row"
                )
        encoded = (data for c in table[image].chunks for data in c.field("bytes").to_pylist())
        pictures += [Picture(data or b"", f"{file}, row {row}") for row, data in enumerate(encoded)]
        column = table[label].to_numpy()
        if column.dtype == np.uint64:  # beyond int64 a label is out of range all the same
            column = np.minimum(column, np.uint64(_LARGEST))
        labels.append(column.astype(np.int64))
    return Examples(pictures, np.concatenate(labels))


def _require_known_labels(part: Examples, classes: int) -> None:
    wrong = np.flatnonzero((part.labels < 0) | (part.labels >= classes))
    if len(wrong):
        first = part.images[wrong[0]]
        assert isinstance(first, Picture)
        raise InputError(
            f"{first.where}: label {part.labels[wrong[0]]} is out of range; "
            f"there are {classes} classes, numbered from 0"
        )
