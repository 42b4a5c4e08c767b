"""Tables of images as Hugging Face's `datasets` writes them: a column of images, one of labels.

An image is its encoded bytes, alone or in a struct of {bytes, path}. A label is the number of its
class, from 0, or the class's name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_core.data.images import Picture, require_file
from lp_core.data.sources.examples import Examples, Published
from lp_core.errors import InputError, one_line

# What the hub calls its splits, and what they are here.
SPLITS = {"train": "train", "valid": "val", "validation": "val", "val": "val", "test": "test"}

_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("label", "fine_label")
_LFS = b"version https://git-lfs"
_LARGEST = np.iinfo(np.int64).max
_UNLABELLED = -1  # what the hub writes where labels are withheld

Names = Callable[[Path, str], list[str] | None]


@dataclass(frozen=True)
class Format:
    """Files of one format. name: what errors call it; schema, table: of a file, the latter with the
    columns that are named; class_names: by label, from a file's metadata; None where it has none.
    """

    name: str
    schema: Callable[[Path], pa.Schema]
    table: Callable[[Path, list[str]], pa.Table]
    class_names: Names


def read_tables(
    form: Format,
    files: Mapping[str, Sequence[Path]],
    path: str,
    image_column: str | None,
    label_column: str | None,
) -> Published:
    """What the files of each split hold; a test split without labels is left out.

    files: by split, `train` among them. path: the folder, as params name it. image_column,
    label_column: None for img or image, and for label or fine_label.
    Raises InputError, naming file and row, for columns or labels that are not as described above.
    """
    wanted = (image_column, label_column)
    parts = {split: _Part.read(form, paths, *wanted) for split, paths in files.items() if paths}
    train = parts["train"]
    if train.numbered:
        with _reading(form, train.files[0]):
            classes = form.class_names(train.files[0], train.label_column)
    else:
        classes = sorted(set(train.names()))
    numbers = {split: part.labels(classes) for split, part in parts.items()}
    if (numbers["train"] == _UNLABELLED).all():
        raise InputError(f"{path} has no labels for its training images; fetch those that have")
    labelled = {split: each for split, each in numbers.items() if (each != _UNLABELLED).any()}
    # Unnamed classes are as many as the labels tell, and each has an image to train on.
    known = len(numbers["train"]) if classes is None else len(classes)
    splits = {split: Examples(parts[split].pictures, each) for split, each in labelled.items()}
    for part in splits.values():
        _require_known_labels(part, known)
    if classes is None:
        classes = [str(label) for label in range(int(numbers["train"].max()) + 1)]
    return Published(classes, splits)


@dataclass(frozen=True)
class _Part:
    """One split: its files, its images, and the labels as the files have them."""

    files: list[Path]
    pictures: list[Picture]
    label_column: str
    columns: list[pa.ChunkedArray]

    @classmethod
    def read(
        cls, form: Format, files: Sequence[Path], image_column: str | None, label_column: str | None
    ) -> "_Part":
        pictures: list[Picture] = []
        columns = []
        label = ""
        for file in files:
            with _reading(form, file):
                schema = form.schema(file)
            image = _column(file, schema, "image_column", image_column, _IMAGE_COLUMNS)
            label = _column(file, schema, "label_column", label_column, _LABEL_COLUMNS)
            _require_images(file, schema.field(image))
            _require_labels(file, schema.field(label))
            with _reading(form, file):
                table = form.table(file, [image, label])
            for column in (image, label):
                if table[column].null_count:
                    row = table[column].is_null().to_pylist().index(True)
                    raise InputError(
                        f"{file}, row {row}: {column} is missing; fill it in, or drop the row"
                    )
            pictures += _pictures(file, table[image])
            columns.append(table[label])
        return cls(list(files), pictures, label, columns)

    @property
    def numbered(self) -> bool:
        """Whether labels are numbers, in all of its files, and not names."""
        return all(pa.types.is_integer(column.type) for column in self.columns)

    def names(self) -> list[str]:
        """The labels as text."""
        return [str(name) for column in self.columns for name in column.to_pylist()]

    def labels(self, classes: list[str] | None) -> NDArray[np.int64]:
        """The labels as numbers: names by their place among `classes`."""
        if self.numbered:
            return np.concatenate([_numbers(column) for column in self.columns])
        places = {name: place for place, name in enumerate(classes or ())}
        names = self.names()
        for name, picture in zip(names, self.pictures, strict=True):
            if name not in places:
                raise InputError(
                    f"{picture.where}: label {name!r} is a class that the training images do not "
                    "have; remove the row, or add them"
                )
        return np.array([places[name] for name in names], dtype=np.int64)


@contextmanager
def _reading(form: Format, file: Path) -> Iterator[None]:
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
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(
            f"{file} is not a whole {form.name} file ({reason}); fetch it again"
        ) from error


def _column(
    file: Path, schema: pa.Schema, key: str, wanted: str | None, usual: Sequence[str]
) -> str:
    known = usual if wanted is None else (wanted,)
    for name in known:
        if name in schema.names:
            return name
    raise InputError(
        f"{file} has columns {', '.join(schema.names)}; none is named {' or '.join(known)}; "
        f"name one of them in {key}"
    )


def _require_images(file: Path, field: pa.Field) -> None:
    kind = field.type
    if not _is_bytes(kind) and not (
        pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    ):
        raise InputError(
            f"{file}: column {field.name} is {kind}, neither bytes nor a struct of bytes and path; "
            "store the encoded images so, or name another column in image_column"
        )


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _require_labels(file: Path, field: pa.Field) -> None:
    kind: Any = field.type
    if pa.types.is_dictionary(kind):  # what pandas makes of categories
        kind = kind.value_type
    if not (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        raise InputError(
            f"{file}: column {field.name} is {field.type}, neither integer nor string; number the "
            "classes from 0, or name another column in label_column"
        )


def _pictures(file: Path, column: pa.ChunkedArray) -> Iterator[Picture]:
    structs = pa.types.is_struct(column.type)
    encoded = (
        data
        for chunk in column.chunks
        for data in (chunk.field("bytes") if structs else chunk).to_pylist()
    )
    for row, data in enumerate(encoded):
        where = f"{file}, row {row}"
        if data is None:
            raise InputError(
                f"{where}: the image has no bytes, only a path; store the bytes, as save_to_disk "
                "and push_to_hub do"
            )
        yield Picture(data, where)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    labels = column.to_numpy()
    if labels.dtype == np.uint64:  # beyond int64 a label is out of range all the same
        labels = np.minimum(labels, np.uint64(_LARGEST))
    return labels.astype(np.int64)


def _require_known_labels(part: Examples, classes: int) -> None:
    wrong = np.flatnonzero((part.labels < 0) | (part.labels >= classes))
    if len(wrong):
        first = part.images[wrong[0]]
        assert isinstance(first, Picture)
        raise InputError(
            f"{first.where}: label {part.labels[wrong[0]]} is out of range; "
            f"there are {classes} classes, numbered from 0"
        )
