"""Folders that Hugging Face's `datasets` has saved with `save_to_disk`; read without `datasets`.

A `DatasetDict` is a folder with dataset_dict.json and one folder for each split. A split, or a
single `Dataset`, has its Arrow streams listed in state.json and its features in dataset_info.json.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from lp_core.data.sources.columns import SPLITS, Format, read_tables
from lp_core.data.sources.examples import Published
from lp_core.errors import InputError, MissingInputError

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def read_arrow(
    path: str, image_column: str | None = None, label_column: str | None = None
) -> Published:
    """All splits of the folder `path`, as they were saved; a single `Dataset` is `train`.

    image_column, label_column: None for img or image, and for label or fine_label.
    Raises MissingInputError where the folder is none that `save_to_disk` wrote or has no training
    split, and InputError, naming file and row, for columns, images or labels of another kind.
    """
    homes = _homes(Path(path))
    files: dict[str, list[Path]] = {"train": []}
    for name, home in homes.items():
        if name in SPLITS:
            files.setdefault(SPLITS[name], []).extend(_streams(home))
    if not files["train"]:
        raise MissingInputError(
            f"{path} has the splits {', '.join(homes)}; call the one to train on train"
        )
    form = Format("Arrow", _schema, _table, _class_names)
    return read_tables(form, files, path, image_column, label_column)


def _homes(folder: Path) -> dict[str, Path]:
    """The folders of the splits, by the splits' names."""
    if (folder / _DICT).is_file():
        return {name: folder / name for name in _list(folder / _DICT, "splits")}
    if (folder / _STATE).is_file():
        return {"train": folder}
    raise MissingInputError(
        f"{folder} has neither {_DICT} nor {_STATE}; name a folder that save_to_disk wrote"
    )


def _streams(home: Path) -> list[Path]:
    state = home / _STATE
    if _json(state).get("_indices_data_files"):
        raise InputError(
            f"{state}: the rows are chosen by a file of indices, as old versions of datasets had "
            "it; load the set and save it again"
        )
    try:
        return [home / each["filename"] for each in _list(state, "_data_files")]
    except (KeyError, TypeError):
        raise InputError(f"{state}: _data_files names no files; save the set again") from None


def _list(file: Path, key: str) -> list[Any]:
    value = _json(file).get(key)
    if not isinstance(value, list):
        raise InputError(f"{file}: {key} is no list; save the set again")
    return value


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{file} cannot be read ({reason}); save the set again") from error
    if not isinstance(value, dict):
        raise InputError(f"{file} is no JSON object; save the set again")
    return value


def _schema(file: Path) -> pa.Schema:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        return stream.schema


def _table(file: Path, columns: list[str]) -> pa.Table:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        return stream.read_all().select(columns)


def _class_names(file: Path, label: str) -> list[str] | None:
    """Of a `ClassLabel`."""
    try:
        features = _json(file.with_name(_INFO))["features"]
        return [str(name) for name in features[label]["names"]]
    except (KeyError, TypeError):
        return None
