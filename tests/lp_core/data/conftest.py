"""Small sets of real images, written in the layouts that the readers know."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

Row = tuple[bytes, int]


def _rows(file: Path, count: int) -> tuple[pa.Table, list[Row]]:
    table = next(parquet.ParquetFile(file).iter_batches(count))
    table = pa.Table.from_batches([table])
    images = [image["bytes"] for image in table[table.column_names[0]].to_pylist()]
    return table, list(zip(images, table["label"].to_pylist(), strict=True))


@pytest.fixture(scope="session")
def cifar_rows(real_data: Path) -> list[Row]:
    """The first 400 training images of CIFAR-10 (JPEG), encoded, with their labels."""
    return _rows(real_data / "cifar10/train-00000-of-00001.parquet", 400)[1]


@pytest.fixture(scope="session")
def mnist_rows(real_data: Path) -> list[Row]:
    """300 digits of MNIST, encoded, with their labels."""
    return _rows(real_data / "mnist/train-00000-of-00001.parquet", 300)[1]


@pytest.fixture(scope="session")
def cifar_parquet(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet folder of 400 training and 100 test images of CIFAR-10 (JPEG)."""
    folder = tmp_path_factory.mktemp("cifar")
    for split, count in (("train", 400), ("test", 100)):
        name = f"{split}-00000-of-00001.parquet"
        parquet.write_table(_rows(real_data / "cifar10" / name, count)[0], folder / name)
    return folder


@pytest.fixture(scope="session")
def cifar_folder(cifar_rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`train/<class>/` with 300 and `val/<class>/` with 100 images of CIFAR-10 (JPEG)."""
    root = tmp_path_factory.mktemp("folder")
    write_folder(root / "train", cifar_rows[:300])
    write_folder(root / "val", cifar_rows[300:])
    return root


def write_folder(root: Path, rows: list[Row], inner: str = "") -> None:
    """One file for each image, in a folder for each class."""
    for index, (data, label) in enumerate(rows):
        home = root / f"class{label}" / inner
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{index:04}.jpg").write_bytes(data)


@pytest.fixture(scope="session")
def folder_writer():
    return write_folder
