import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from lp_core.data.build import build_dataset
from lp_core.data.sources.parquet import read_parquet
from lp_core.data.spec import DatasetSpec
from lp_core.errors import InputError


def _write(file, rows, image="img", label="label", names=None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": data, "path": None} for data, _ in rows]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    labels = pa.array([number for _, number in rows], pa.int64())
    table = pa.table({image: pa.array(images, kind), label: labels})
    if names:
        about = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    parquet.write_table(table, file)


@pytest.mark.parametrize(
    ("folder", "classes", "other", "counts"),
    [
        ("cifar10", 10, "test", (50_000, 10_000)),
        ("mnist", 10, "test", (8_000, 2_000)),
        ("tiny-imagenet", 200, "val", (10_000, 2_000)),
    ],
)
def test_real_sets_are_found_whole(real_data, folder, classes, other, counts):
    published = read_parquet(str(real_data / folder))
    assert len(published.classes) == classes
    assert set(published.splits) == {"train", other}
    assert (len(published.splits["train"]), len(published.splits[other])) == counts


def test_files_of_one_split_follow_each_other_and_rows_are_counted_in_each(tmp_path, cifar_rows):
    for part in range(2):
        rows = cifar_rows[10 * part : 10 * part + 10]
        _write(tmp_path / f"train-0000{part}-of-00002.parquet", rows)
    train = read_parquet(str(tmp_path)).splits["train"]
    assert [picture.data for picture in train.images] == [data for data, _ in cifar_rows[:20]]
    assert train.labels.tolist() == [label for _, label in cifar_rows[:20]]
    assert train.images[13].where.endswith("train-00001-of-00002.parquet, row 3")


@pytest.mark.parametrize("image", ["img", "image"])
@pytest.mark.parametrize("label", ["label", "fine_label"])
@pytest.mark.parametrize("held", ["test", "valid", "validation"])
def test_columns_and_splits_go_by_any_of_their_names(tmp_path, cifar_rows, image, label, held):
    for split in ("train", held):
        _write(tmp_path / f"{split}-00000-of-00001.parquet", cifar_rows[:9], image, label)
    published = read_parquet(str(tmp_path))
    assert set(published.splits) == {"train", "test" if held == "test" else "val"}
    assert published.classes == [str(i) for i in range(max(n for _, n in cifar_rows[:9]) + 1)]


def test_a_test_split_without_labels_is_left_out(tmp_path, cifar_rows):
    _write(tmp_path / "train-0.parquet", cifar_rows)
    _write(tmp_path / "test-0.parquet", [(data, -1) for data, _ in cifar_rows])
    assert set(read_parquet(str(tmp_path)).splits) == {"train"}


def test_a_broken_image_is_named_by_file_and_row(tmp_path, cifar_rows):
    rows = list(cifar_rows)
    rows[42] = (rows[42][0][:200], rows[42][1])
    _write(tmp_path / "train-0.parquet", rows)
    with pytest.raises(ValueError, match=r"train-0\.parquet, row 42 cannot be read"):
        build_dataset("broken", DatasetSpec(source="parquet", watch="pins", path=str(tmp_path)))


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_is_named_by_file_and_row(tmp_path, cifar_rows, label):
    rows = [(data, i % 3) for i, (data, _) in enumerate(cifar_rows[:30])]
    rows[17] = (rows[17][0], label)
    _write(tmp_path / "train-0.parquet", rows, names=["a", "b", "c"])
    message = rf"train-0\.parquet, row 17: label {label} is out of range; there are 3 classes"
    with pytest.raises(ValueError, match=message):
        read_parquet(str(tmp_path))


def test_a_class_without_images_is_named(tmp_path, cifar_rows):
    rows = [(data, i % 3) for i, (data, _) in enumerate(cifar_rows[:30])]
    _write(tmp_path / "train-0.parquet", rows, names=["a", "b", "c", "dodo"])
    with pytest.raises(ValueError, match="class dodo has no training image"):
        build_dataset("empty", DatasetSpec(source="parquet", watch="pins", path=str(tmp_path)))


def test_missing_folders_and_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        read_parquet(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"has no train-\*\.parquet"):
        read_parquet(str(tmp_path))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"photo": [b"x"], "label": [0]}, "columns photo, label; none is named img or image"),
        ({"img": [{"bytes": b"x"}], "class": [0]}, "none is named label or fine_label"),
        ({"img": ["x"], "label": [0]}, "column img is string"),
        ({"img": [{"bytes": b"x"}], "label": [0.5]}, "column label is double"),
        ({"img": [{"bytes": b"x"}], "label": pa.array([None], pa.int64())}, "row 0: label is miss"),
    ],
)
def test_unknown_columns_are_named(tmp_path, columns, message):
    parquet.write_table(pa.table(columns), tmp_path / "train-0.parquet")
    with pytest.raises(ValueError, match=message):
        read_parquet(str(tmp_path))


def test_labels_come_as_int64_whatever_their_type(tmp_path, cifar_rows):
    _write(tmp_path / "train-0.parquet", cifar_rows)
    table = parquet.read_table(tmp_path / "train-0.parquet")
    narrow = table.set_column(1, "label", table["label"].cast(pa.uint8()))
    parquet.write_table(narrow, tmp_path / "train-0.parquet")
    assert read_parquet(str(tmp_path)).splits["train"].labels.dtype == np.int64


def test_columns_go_by_the_names_that_params_give(tmp_path, cifar_rows):
    _write(tmp_path / "train-0.parquet", cifar_rows[:50], image="photo", label="species")
    _write(tmp_path / "other/train-0.parquet", cifar_rows[:50])
    spec = DatasetSpec(
        source="parquet",
        watch="pins",
        path=str(tmp_path),
        image_column="photo",
        label_column="species",
    )
    usual = DatasetSpec(source="parquet", watch="pins", path=str(tmp_path / "other"))
    named, plain = (build_dataset("own", each) for each in (spec, usual))
    for split in ("train", "val", "test"):
        assert torch.equal(named.split(split).images, plain.split(split).images)
        assert torch.equal(named.labels(split), plain.labels(split))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_names_as_labels_become_the_classes_in_their_order(tmp_path, cifar_rows, kind):
    names = ["zebra", "ant", "mole"]
    for split, rows in (("train", cifar_rows[:60]), ("test", cifar_rows[60:80])):
        labels = pa.array([names[label % 3] for _, label in rows]).cast(kind)
        encoded = pa.array([data for data, _ in rows], pa.large_binary())  # as pandas has bytes
        table = pa.table({"image": encoded, "label": labels})
        parquet.write_table(table, tmp_path / f"{split}-0.parquet")
    published = read_parquet(str(tmp_path))
    assert published.classes == ["ant", "mole", "zebra"]
    for split, rows in (("train", cifar_rows[:60]), ("test", cifar_rows[60:80])):
        part = published.splits[split]
        assert [picture.data for picture in part.images] == [data for data, _ in rows]
        assert [published.classes[n] for n in part.labels] == [names[n % 3] for _, n in rows]


def test_what_is_no_parquet_file_is_named(tmp_path):
    (tmp_path / "train-0.parquet").write_bytes(b"PAR1 half a file")
    with pytest.raises(InputError, match=r"train-0\.parquet is not a whole Parquet file"):
        read_parquet(str(tmp_path))
