import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from lp_core.data.build import build_dataset
from lp_core.data.sources.arrow import read_arrow
from lp_core.data.sources.parquet import read_parquet
from lp_core.data.spec import DatasetSpec

NAMES = [f"class {number}" for number in range(10)]


def _save_split(home: Path, rows, shards: int, image: str, label: str) -> None:
    """As `Dataset.save_to_disk` of datasets 4 lays it out."""
    home.mkdir(parents=True)
    files = [f"data-{k:05}-of-{shards:05}.arrow" for k in range(shards)]
    for file, chosen in zip(files, np.array_split(np.arange(len(rows)), shards), strict=True):
        images = [{"bytes": rows[k][0], "path": None} for k in chosen]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        labels = pa.array([rows[k][1] for k in chosen], pa.int64())
        table = pa.table({"id": labels, image: pa.array(images, kind), label: labels})
        with pa.ipc.new_stream(str(home / file), table.schema) as stream:
            stream.write_table(table, max_chunksize=7)
    features = {image: {"_type": "Image"}, label: {"names": NAMES, "_type": "ClassLabel"}}
    state = {"_data_files": [{"filename": file} for file in files], "_split": home.name}
    (home / "state.json").write_text(json.dumps(state))
    (home / "dataset_info.json").write_text(json.dumps({"features": features}))


def _save(root: Path, splits, shards: int = 1, image: str = "img", label: str = "label") -> None:
    for name, rows in splits.items():
        _save_split(root / name, rows, shards, image, label)
    (root / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))


@pytest.mark.parametrize("shards", [1, 3])
def test_a_saved_set_is_the_parquet_set_it_was_made_of(tmp_path, cifar_parquet, shards):
    published = read_parquet(str(cifar_parquet))
    rows = {
        name: [(p.data, label) for p, label in zip(part.images, part.labels, strict=True)]
        for name, part in published.splits.items()
    }
    _save(tmp_path / "saved", rows, shards)
    arrow = DatasetSpec(source="arrow", watch="pins", path=str(tmp_path / "saved"))
    parquet = DatasetSpec(source="parquet", watch="pins", path=str(cifar_parquet))
    made, same = build_dataset("own", arrow), build_dataset("own", parquet)
    assert made.classes == NAMES
    assert (made.mean, made.std) == (same.mean, same.std)
    for split in ("train", "val", "test"):
        assert torch.equal(made.split(split).images, same.split(split).images)
        assert torch.equal(made.labels(split), same.labels(split))


def test_a_single_saved_split_is_what_is_trained_on(tmp_path, cifar_rows):
    _save_split(tmp_path / "alone", cifar_rows[:20], 2, "photo", "species")
    published = read_arrow(str(tmp_path / "alone"), "photo", "species")
    assert set(published.splits) == {"train"}
    train = published.splits["train"]
    assert [picture.data for picture in train.images] == [data for data, _ in cifar_rows[:20]]
    assert train.images[13].where.endswith("data-00001-of-00002.arrow, row 3")


def test_splits_go_by_their_usual_names_and_others_are_left_out(tmp_path, cifar_rows):
    rows = dict.fromkeys(("unsupervised", "validation", "train"), cifar_rows[:9])
    _save(tmp_path, rows)
    assert set(read_arrow(str(tmp_path)).splits) == {"train", "val"}


def test_a_folder_that_is_no_saved_set_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither dataset_dict\.json nor state\.json"):
        read_arrow(str(tmp_path))
