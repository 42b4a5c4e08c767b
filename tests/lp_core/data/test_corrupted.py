"""Corrupted sets on disk: one array for each corruption, made and read severity by severity."""

import io
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core import checksums
from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.sets import generated, official
from lp_core.corruptions.spec import CorruptSpec
from lp_core.data.corrupted import corrupted_labels, corrupted_sets, save_array, write_manifest
from lp_core.errors import DamagedError, InputError

severities = st.lists(st.integers(1, 5), min_size=1, max_size=5, unique=True)
NAMES = ["gaussian_noise", "contrast"]


def _images(count: int, side: int = 6, seed: int = 0) -> np.ndarray:
    shape = (count, side, side + 1, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _as_one(parts: list[np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.concatenate(parts))
    return file.getvalue()


@settings(deadline=None, max_examples=30)
@given(levels=severities, count=st.integers(1, 4), seed=st.integers(0, 9))
def test_a_generated_file_is_the_array_of_all_severities(tmp_path_factory, levels, count, seed):
    path, images = tmp_path_factory.mktemp("c") / "made.npy", _images(count)
    spec = CorruptSpec(watch="pins.txt", corruptions=NAMES, severities=levels, seed=seed)
    sets = dict(generated(images, spec))
    assert list(sets) == NAMES
    for name, parts in sets.items():
        save_array(path, parts, len(levels))
        expected = [corrupt(images, name, level, seed) for level in levels]
        assert path.read_bytes() == _as_one(expected)


@settings(deadline=None, max_examples=30)
@given(levels=severities, data=st.data())
def test_an_official_file_is_cut_to_the_severities_and_images_asked_for(
    tmp_path_factory, levels, data
):
    folder, count = tmp_path_factory.mktemp("official"), 4
    labels, theirs = np.arange(count) % 3, {n: _images(5 * count, seed=len(n)) for n in NAMES}
    np.save(folder / "labels.npy", np.tile(labels, 5))
    for name, array in theirs.items():
        np.save(folder / f"{name}.npy", array)
    chosen = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1))))
    spec = CorruptSpec(
        watch="labels.npy",
        source="official",
        path=str(folder),
        corruptions=NAMES,
        severities=levels,
    )
    for name, parts in official(labels, (6, 7, 3), chosen, spec):
        save_array(folder / "made", parts, len(levels))
        by_severity = theirs[name].reshape(5, count, *theirs[name].shape[1:])
        expected = [by_severity[level - 1][chosen] for level in levels]
        assert (folder / "made").read_bytes() == _as_one(expected)


def test_an_official_file_that_was_cut_short_is_named(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(4))
    np.save(tmp_path / f"{NAMES[0]}.npy", _images(20))
    whole = (tmp_path / f"{NAMES[0]}.npy").read_bytes()
    spec = CorruptSpec(watch="labels.npy", source="official", path=str(tmp_path))
    for size in (0, 50, len(whole) - 1):
        (tmp_path / f"{NAMES[0]}.npy").write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"gaussian_noise\.npy is not a whole array"):
            next(official(np.arange(4), (6, 7, 3), np.arange(4), spec))


@pytest.mark.parametrize("wrong", [0, 7, 19])
def test_official_labels_must_be_the_test_images_at_every_severity(wrong, tmp_path):
    labels = np.tile(np.arange(4), 5)
    labels[wrong] += 1
    np.save(tmp_path / "labels.npy", labels)
    spec = CorruptSpec(watch="labels.npy", source="official", path=str(tmp_path))
    with pytest.raises(InputError, match=r"labels\.npy: its labels"):
        next(official(np.arange(4), (6, 7, 3), np.arange(4), spec))


def test_no_more_than_one_severity_is_in_memory(tmp_path):
    made: list[weakref.ref] = []

    def parts() -> Iterator[np.ndarray]:
        for level in range(5):
            assert all(part() is None for part in made)
            images = _images(2, seed=level)
            made.append(weakref.ref(images))
            yield images
            del images

    save_array(tmp_path / "made.npy", parts(), 5)
    assert len(made) == 5


def _saved(folder: Path, levels: list[int]) -> None:
    sums = {}
    for name in NAMES:
        parts = (_images(3, seed=10 * level) for level in levels)
        sums[name] = save_array(folder / f"{name}.npy", parts, len(levels))
    write_manifest(folder, np.arange(3), levels, sums)


def test_every_corruption_comes_back_with_the_images_of_its_severities(tmp_path):
    _saved(tmp_path, [3, 1])
    sets = list(corrupted_sets(tmp_path))
    assert [(name, levels) for name, levels, _ in sets] == [(name, [3, 1]) for name in NAMES]
    for _, levels, images in sets:
        for level, part in zip(levels, images.split(3), strict=True):
            assert np.array_equal(part.permute(0, 2, 3, 1).numpy(), _images(3, seed=10 * level))
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_sets_are_mapped_from_their_files(tmp_path):
    _saved(tmp_path, [1, 2])
    name, _, images = next(corrupted_sets(tmp_path))
    lines = Path("/proc/self/maps").read_text().splitlines()
    ends = [line.split()[0].split("-") for line in lines if line.endswith(f"{tmp_path}/{name}.npy")]
    where = images.data_ptr()
    assert any(int(start, 16) <= where < int(stop, 16) for start, stop in ends)


def test_a_folder_without_sets_names_the_stage_that_makes_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the stage `corrupt` first"):
        next(corrupted_sets(tmp_path))


def _read(folder: Path) -> None:
    corrupted_labels(folder)
    for _ in corrupted_sets(folder):
        pass


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_bit_that_was_changed_on_disk_is_noticed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("sets")
    _saved(folder, [1, 2])
    _read(folder)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content, bits = bytearray(path.read_bytes()), st.integers(0, 7)
    content[int(data.draw(st.floats(0, 1)) * (len(content) - 1))] ^= 1 << data.draw(bits)
    path.write_bytes(content)
    with pytest.raises(DamagedError) as error:
        _read(folder)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).endswith("; remove it and make it anew")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["contrast.npy", "labels.npy"])
def test_a_missing_or_truncated_array_is_named_when_it_is_its_turn(tmp_path, name):
    _saved(tmp_path, [1, 2])
    whole = (tmp_path / name).read_bytes()
    for size in (0, 50, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(DamagedError, match=rf"{name}: damaged: its checksum is .*, not "):
            _read(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DamagedError, match=rf"{name}: cannot be read \(No such file"):
        _read(tmp_path)
    if name != "labels.npy":
        assert next(corrupted_sets(tmp_path))[0] == NAMES[0]


def test_each_array_is_compared_once_in_a_process(tmp_path, monkeypatch):
    _saved(tmp_path, [1, 2])
    _read(tmp_path)
    monkeypatch.setattr(checksums, "file_checksum", None)
    _read(tmp_path)


def test_a_manifest_without_checksums_is_of_an_older_version(tmp_path):
    _saved(tmp_path, [1])
    (tmp_path / "corrupted.json").write_text('{"corruptions": ["contrast"], "severities": [1]}')
    with pytest.raises(DamagedError, match=r"corrupted\.json: it has no checksum; an older versio"):
        _read(tmp_path)
