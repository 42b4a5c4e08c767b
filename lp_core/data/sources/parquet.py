"""Parquet folders as the Hugging Face hub serves them, or as pandas writes them.

A split is the files whose names start with its name: train-00000-of-00001.parquet, and so on.
"""

import json
from pathlib import Path

from pyarrow import Schema, Table, parquet

from lp_core.data.sources.columns import SPLITS, Format, read_tables
from lp_core.data.sources.examples import Published
from lp_core.errors import MissingInputError


def read_parquet(
    path: str, image_column: str | None = None, label_column: str | None = None
) -> Published:
    """All splits of the folder `path`; a test split without labels is left out.

    image_column, label_column: None for img or image, and for label or fine_label.
    Raises MissingInputError where the folder or its training files are missing, and InputError,
    naming file and row, for columns, images or labels of another kind (`sources.columns`).
    """
    folder = Path(path)
    if not folder.is_dir():
        raise MissingInputError(f"{path} is not a folder; path must name one of Parquet files")
    files: dict[str, list[Path]] = {"train": []}
    for file in sorted(folder.glob("*.parquet")):
        split = SPLITS.get(file.name.removesuffix(".parquet").split("-")[0])
        if split:
            files.setdefault(split, []).append(file)
    if not files["train"]:
        raise MissingInputError(f"{path} has no train-*.parquet; name the folder that has")
    form = Format("Parquet", _schema, _table, _class_names)
    return read_tables(form, files, path, image_column, label_column)


def _schema(file: Path) -> Schema:
    return parquet.read_schema(file)


def _table(file: Path, columns: list[str]) -> Table:
    return parquet.read_table(file, columns=columns)


def _class_names(file: Path, label: str) -> list[str] | None:
    """From the metadata that the hub keeps in the schema."""
    try:
        described = json.loads((_schema(file).metadata or {})[b"huggingface"])
        return [str(name) for name in described["info"]["features"][label]["names"]]
    except (KeyError, TypeError, ValueError):
        return None
