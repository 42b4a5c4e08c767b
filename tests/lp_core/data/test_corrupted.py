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

from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.sets import generated, official
from lp_core.corruptions.spec import CorruptSpec
from lp_core.data.corrupted import corrupted_sets, save_array, write_manifest
from lp_core.errors import InputError

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
    for name, parts in official(labels, chosen, spec):
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
            next(official(np.arange(4), np.arange(4), spec))


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
    for name in NAMES:
        parts = (_images(3, seed=10 * level) for level in levels)
        save_array(folder / f"{name}.npy", parts, len(levels))
    np.save(folder / "labels.npy", np.arange(3))
    write_manifest(folder, NAMES, levels)


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


def test_a_file_that_lacks_images_is_named(tmp_path):
    _saved(tmp_path, [1, 2])
    np.save(tmp_path / f"{NAMES[1]}.npy", _images(4))
    sets = corrupted_sets(tmp_path)
    assert next(sets)[0] == NAMES[0]
    message = r"contrast\.npy: it holds 4 images, not 3 for each of 2 severities; run the stage"
    with pytest.raises(InputError, match=message):
        next(sets)
