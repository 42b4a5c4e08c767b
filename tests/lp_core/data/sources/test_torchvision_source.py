import hashlib
import pickle

import numpy as np
import pytest

from lp_core.data.build import build_dataset
from lp_core.data.images import Picture, as_array, open_picture
from lp_core.data.sources.torchvision_sets import read_torchvision
from lp_core.data.spec import DatasetSpec


def _pixels(rows) -> np.ndarray:
    return np.stack([as_array(open_picture(Picture(data, "row"))) for data, _ in rows])


@pytest.mark.parametrize("source", ["cifar10", "cifar100", "mnist", "eurosat"])
def test_a_set_that_was_never_downloaded_says_how_to_get_it(tmp_path, source):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} does not hold .* download: true"):
        build_dataset(source, DatasetSpec(source=source, watch="pins", path=str(tmp_path)))


def test_mnist_is_read_from_its_own_files(tmp_path, mnist_rows):
    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    images = _pixels(mnist_rows)[..., 0]
    labels = np.array([label for _, label in mnist_rows], dtype=np.uint8)
    for start, part in (("train", slice(0, 200)), ("t10k", slice(200, 300))):
        for kind, array in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            head = b"\0\0\x08" + bytes([array.ndim])
            head += b"".join(side.to_bytes(4, "big") for side in array.shape)
            (raw / f"{start}-{kind}-ubyte").write_bytes(head + array.tobytes())
    published = read_torchvision("mnist", str(tmp_path), download=False)
    read = np.asarray(published.splits["train"].images)
    assert np.array_equal(read[..., 0], images[:200])
    assert published.splits["test"].labels.tolist() == labels[200:].tolist()
    dataset = build_dataset(
        "mnist", DatasetSpec(source="mnist", watch="pins", path=str(tmp_path), size=32)
    )
    assert dataset.input_shape == (1, 32, 32)
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [180, 20, 100]


def test_cifar_is_read_from_its_own_files(tmp_path, cifar_rows, monkeypatch):
    from torchvision.datasets import CIFAR10

    home = tmp_path / CIFAR10.base_folder
    home.mkdir()

    def write(name: str, content: dict) -> list[str]:
        data = pickle.dumps(content)
        (home / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    pixels, labels = _pixels(cifar_rows), [label for _, label in cifar_rows]
    flat = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    train = write("data_batch_1", {"data": flat[:300], "labels": labels[:300]})
    test = write("test_batch", {"data": flat[300:], "labels": labels[300:]})
    meta = write("batches.meta", {"label_names": [f"class {i}" for i in range(10)]})
    monkeypatch.setattr(CIFAR10, "train_list", [train])
    monkeypatch.setattr(CIFAR10, "test_list", [test])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]}
    )
    published = read_torchvision("cifar10", str(tmp_path), download=False)
    assert published.classes[3] == "class 3"
    assert np.array_equal(published.splits["train"].images, pixels[:300])
    assert published.splits["test"].labels.tolist() == labels[300:]
    (home / "test_batch").write_bytes(b"half a file")
    with pytest.raises(FileNotFoundError, match="or not all of it"):
        read_torchvision("cifar10", str(tmp_path), download=False)


def test_eurosat_has_no_published_split(tmp_path, folder_writer, cifar_rows):
    folder_writer(tmp_path / "eurosat/2750", cifar_rows)
    dataset = build_dataset(
        "eurosat", DatasetSpec(source="eurosat", watch="pins", path=str(tmp_path))
    )
    assert dataset.classes == [f"class{i}" for i in range(10)]
    assert [len(dataset.split(name)) for name in ("train", "val", "test")] == [288, 32, 80]
