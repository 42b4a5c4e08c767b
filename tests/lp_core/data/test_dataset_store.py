import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core import checksums
from lp_core.checksums import sealed
from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.memory import MemoryLoader
from lp_core.data.store import SPLITS, Dataset, Listing, Split
from lp_core.errors import DamagedError


def _dataset(channels: int = 3, size: tuple[int, int] = (5, 5)) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    parts = {}
    for name, count in zip(SPLITS, (12, 4, 6), strict=True):
        shape = (count, *size, channels)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        parts[name] = Split(images.permute(0, 3, 1, 2), torch.arange(count) % 3)
    side = size[0] if size[0] == size[1] else list(size)
    return Dataset(
        "toy", ["a", "b", "c"], channels, side, [0.5] * channels, [0.25] * channels, parts
    )


def _streamed(root: Path) -> Dataset:
    paths = pa.array(["train/a/é 1.jpg", "train/b/2.jpg"])
    labels, sizes = torch.tensor([0, 1]), torch.tensor([5, 2**40])
    parts = {name: Listing(root, paths, labels, sizes) for name in SPLITS}
    return Dataset("toy", ["a", "b"], 3, 8, [0.5] * 3, [0.2] * 3, parts)


def _digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(5, 5), (4, 6)])
def test_a_saved_set_comes_back_whole(tmp_path, channels, size):
    dataset = _dataset(channels, size)
    dataset.save(tmp_path / "toy")
    loaded = Dataset.load(tmp_path / "toy")
    for field in ("name", "classes", "channels", "size", "mean", "std", "streamed", "input_shape"):
        assert getattr(loaded, field) == getattr(dataset, field)
    assert loaded.input_shape == (channels, *size)
    for name in SPLITS:
        assert torch.equal(loaded.split(name).images, dataset.split(name).images)
        assert torch.equal(loaded.labels(name), dataset.labels(name))
        assert loaded.split(name).images.is_contiguous(memory_format=torch.channels_last)


def test_a_streamed_set_comes_back_whole(tmp_path):
    _streamed(tmp_path / "photos").save(tmp_path / "toy")
    loaded = Dataset.load(tmp_path / "toy")
    assert loaded.streamed
    assert loaded.listing("val").path(0) == str(tmp_path / "photos/train/a/é 1.jpg")
    assert loaded.labels("test").tolist() == [0, 1]
    assert loaded.listing("train").sizes.tolist() == [5, 2**40]
    with pytest.raises(ValueError, match="is streamed"):
        loaded.split("train")
    with pytest.raises(ValueError, match="not streamed"):
        _dataset().listing("train")


@pytest.mark.parametrize("streamed", [False, True])
def test_saving_twice_gives_the_same_bytes(tmp_path, streamed):
    dataset = _streamed(tmp_path) if streamed else _dataset()
    dataset.save(tmp_path / "one")
    dataset.save(tmp_path / "two")
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")


def test_loaded_images_are_mapped_and_reach_the_loader_uncopied(tmp_path):
    _dataset().save(tmp_path / "toy")
    split = Dataset.load(tmp_path / "toy").split("train")
    file = str(tmp_path / "toy/train.images.npy")
    where = split.images.data_ptr()
    ranges = [
        [int(end, 16) for end in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(file)
    ]
    assert any(start <= where < stop for start, stop in ranges)
    loader = MemoryLoader(split, [0.5] * 3, [0.2] * 3, 4, AugmentSpec(), "cpu")
    assert loader._images.data_ptr() == where


def test_saving_replaces_the_old_set_whole_and_leaves_nothing_else(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "stale.txt").write_text("of an older layout")
    _dataset().save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    assert "stale.txt" not in _digests(folder)


def test_a_failed_save_leaves_the_old_set(tmp_path, monkeypatch):
    folder = tmp_path / "toy"
    _dataset().save(folder)
    before = _digests(folder)

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        _dataset(channels=1).save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    assert _digests(folder) == before


def test_a_missing_set_names_the_stage_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere .* run the stage dataset"):
        Dataset.load(tmp_path / "nowhere")


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'valid' is no split"):
        _dataset().split("valid")


@pytest.mark.parametrize("file", ["val.images.npy", "test.labels.npy"])
@pytest.mark.parametrize("damage", ["cut", "foreign", "gone", "folder"])
def test_a_damaged_array_is_named(tmp_path, file, damage):
    _dataset().save(tmp_path)
    path = tmp_path / file
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "foreign":
        np.save(path, np.zeros((2, 2)))
    else:
        path.unlink()
    if damage == "folder":
        path.mkdir()
    with pytest.raises(DamagedError, match=rf"{file}: (damaged|cannot be read)"):
        Dataset.load(tmp_path)


@settings(deadline=None, max_examples=60)
@given(streamed=st.booleans(), data=st.data())
def test_a_bit_that_was_changed_on_disk_is_noticed(tmp_path_factory, streamed, data):
    folder = tmp_path_factory.mktemp("sets") / "toy"
    (_streamed(folder) if streamed else _dataset()).save(folder)
    Dataset.load(folder)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content, bits = bytearray(path.read_bytes()), st.integers(0, 7)
    content[int(data.draw(st.floats(0, 1)) * (len(content) - 1))] ^= 1 << data.draw(bits)
    path.write_bytes(content)
    with pytest.raises(DamagedError) as error:
        Dataset.load(folder)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).endswith("; remove it and make it anew")
    assert "\n" not in str(error.value)


def test_each_file_is_compared_once_in_a_process(tmp_path, monkeypatch):
    _dataset().save(tmp_path)
    Dataset.load(tmp_path)
    monkeypatch.setattr(checksums, "file_checksum", None)
    Dataset.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "toy"}', sealed('{"name": "toy"}')])
def test_a_foreign_or_older_description_is_named(tmp_path, text):
    _dataset().save(tmp_path)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DamagedError, match=r"dataset\.json: it (has no|lacks) .* version wrote it"):
        Dataset.load(tmp_path)
