import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.augment_spec import AugmentSpec
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec
from tasks.kit import fingerprint as room
from tasks.kit import guard as unchanged
from tasks.kit.fingerprint import fingerprint
from tasks.kit.guard import loaded

TRAIN = TrainSpec(4, 8, 0.9, 5e-4, Schedule(0.1), AugmentSpec(1, False))


@pytest.fixture(scope="module")
def compute() -> Compute:
    return Compute(ComputeSpec("cpu", threads=1))


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    (tmp_path / "data" / "deeper").mkdir(parents=True)
    (tmp_path / "data" / "images.npy").write_bytes(b"images")
    (tmp_path / "data" / "deeper" / "more.npy").write_bytes(b"more")
    (tmp_path / "ticket").write_bytes(b"ticket")
    return [tmp_path / "data", tmp_path / "ticket"]


def test_equal_runs_have_equal_keys(compute, inputs):
    key = fingerprint([TRAIN, 0, "imp@base-0-round1"], inputs, compute)
    assert key == fingerprint([replace(TRAIN), 0, "imp@base-0-round1"], inputs, compute)
    assert len(key) == 16
    assert int(key, 16) >= 0


@pytest.mark.parametrize(
    "changed",
    [
        replace(TRAIN, epochs=5),
        replace(TRAIN, schedule=Schedule(0.1, drops=[2])),
        replace(TRAIN, augment=AugmentSpec(1, True)),
        replace(TRAIN, devices=2),
    ],
)
def test_any_setting_changes_the_key(compute, inputs, changed):
    assert fingerprint([changed], inputs, compute) != fingerprint([TRAIN], inputs, compute)


def test_what_auto_comes_to_is_part_of_the_key(monkeypatch):
    """A state folder that two machines share serves each of them its own states."""
    keys = set()
    for multiplies in (True, False):
        monkeypatch.setattr("lp_core.compute.multiplies_bf16", lambda _, m=multiplies: m)
        keys.add(fingerprint([], [], Compute(ComputeSpec("cpu", "auto", threads=1))))
    assert len(keys) == 2


plain = st.lists(
    st.integers(0, 200)
    | st.text(alphabet='1,"[] ', max_size=3)
    | st.lists(st.integers(0, 20), max_size=3),
    max_size=4,
)


@settings(deadline=None, max_examples=200)
@given(one=plain, other=plain)
def test_different_settings_have_different_keys(one, other):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "loaded", dict)
        same = _key(one) == _key(other)
    assert same == (one == other)


def test_neighbouring_numbers_do_not_run_together(compute):
    assert fingerprint([1, 23], [], compute) != fingerprint([12, 3], [], compute)


def _key(values: list[Any]) -> str:
    return fingerprint(values, [], Compute(ComputeSpec("cpu", threads=1)))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "data" / "images.npy").write_bytes(b"imagez"),
        lambda folder: (folder / "data" / "deeper" / "more.npy").write_bytes(b""),
        lambda folder: (folder / "data" / "new.npy").write_bytes(b""),
        lambda folder: (folder / "data" / "deeper" / "more.npy").unlink(),
        lambda folder: (folder / "data" / "images.npy").rename(folder / "data" / "renamed.npy"),
        lambda folder: (folder / "ticket").write_bytes(b"other"),
    ],
)
def test_any_input_changes_the_key(compute, inputs, tmp_path, change):
    before = fingerprint([TRAIN], inputs, compute)
    change(tmp_path)
    assert fingerprint([TRAIN], inputs, compute) != before


def test_the_number_of_threads_changes_the_key(compute):
    before = fingerprint([TRAIN], [], compute)
    try:
        torch.set_num_threads(2)
        assert fingerprint([TRAIN], [], compute) != before
    finally:
        torch.set_num_threads(1)


def test_the_version_of_pytorch_changes_the_key(compute, monkeypatch):
    before = fingerprint([TRAIN], [], compute)
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert fingerprint([TRAIN], [], compute) != before


def test_imported_code_of_the_project_changes_the_key(compute, tmp_path, monkeypatch):
    monkeypatch.setattr(unchanged, "PROJECT", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "made_up_room.py").write_text("x = 1\n")
    (tmp_path / "never_imported.py").write_text("y = 1\n")

    def key() -> str:
        loaded.cache_clear()  # as in another process
        return fingerprint([TRAIN], [], compute)

    before = key()
    importlib.import_module("made_up_room")
    try:
        imported = key()
        (tmp_path / "never_imported.py").write_text("y = 2\n")
        assert key() == imported
        (tmp_path / "made_up_room.py").write_text("x = 2\n")
        # This process still runs the old code.
        assert fingerprint([TRAIN], [], compute) == imported
        assert len({before, imported, key()}) == 3
    finally:
        del sys.modules["made_up_room"]
        loaded.cache_clear()


def test_the_code_that_trains_is_part_of_the_key():
    importlib.import_module("lp_core.training.trainer")
    loaded.cache_clear()
    assert {"trainer.py", "schedules.py", "compute.py"} <= {path.name for path in loaded()}
    assert not any("site-packages" in path.parts for path in loaded())
