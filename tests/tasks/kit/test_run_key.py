import json
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
from lp_core.data.store import Dataset, Split
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec
from tasks.kit import training
from tasks.kit.run_key import run_key
from tests.tasks.tiny import PARAMS

TRAINING = PARAMS["train"] | {
    "epochs": 2,
    "batch_size": 16,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "schedule": {"kind": "constant", "lr": 0.1},
}
TRAIN = TrainSpec(4, 8, 0.9, 5e-4, Schedule(0.1), AugmentSpec(1, False))


@pytest.fixture(scope="module")
def compute() -> Compute:
    return Compute(ComputeSpec("cpu", threads=1))


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    (tmp_path / "dataset.json").write_bytes(b"images")
    (tmp_path / "ticket").write_bytes(b"ticket")
    return [tmp_path / "dataset.json", tmp_path / "ticket"]


def test_equal_runs_have_equal_keys(compute, inputs):
    key = run_key([TRAIN, 0, "imp@base-0-round1"], inputs, compute)
    assert key == run_key([replace(TRAIN), 0, "imp@base-0-round1"], inputs, compute)
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
    assert run_key([changed], inputs, compute) != run_key([TRAIN], inputs, compute)


def test_what_auto_comes_to_is_part_of_the_key(monkeypatch):
    """A state folder that two machines share serves each of them its own states."""
    keys = set()
    for multiplies in (True, False):
        monkeypatch.setattr("lp_core.compute.multiplies_bf16", lambda _, m=multiplies: m)
        keys.add(run_key([], [], Compute(ComputeSpec("cpu", "auto", threads=1))))
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
    assert (_key(one) == _key(other)) == (one == other)


def test_neighbouring_numbers_do_not_run_together(compute):
    assert run_key([1, 23], [], compute) != run_key([12, 3], [], compute)


def _key(values: list[Any]) -> str:
    return run_key(values, [], Compute(ComputeSpec("cpu", threads=1)))


@pytest.mark.parametrize("name", ["dataset.json", "ticket"])
def test_any_input_changes_the_key(compute, inputs, tmp_path, name):
    before = run_key([TRAIN], inputs, compute)
    (tmp_path / name).write_bytes(b"other")
    assert run_key([TRAIN], inputs, compute) != before


def test_the_number_of_threads_changes_the_key(compute):
    before = run_key([TRAIN], [], compute)
    try:
        torch.set_num_threads(2)
        assert run_key([TRAIN], [], compute) != before
    finally:
        torch.set_num_threads(1)


def test_the_version_of_pytorch_changes_the_key(compute, monkeypatch):
    before = run_key([TRAIN], [], compute)
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert run_key([TRAIN], [], compute) != before


def test_the_precision_that_auto_came_to_changes_the_key():
    keys = {
        run_key([TRAIN], [], Compute(ComputeSpec("cpu", precision, threads=1)))
        for precision in ("bf16", "fp32")
    }
    assert len(keys) == 2


@pytest.mark.usefixtures("root")
def test_a_training_of_other_code_has_another_key(monkeypatch):
    """The fingerprint of the stage's code is among the settings."""
    monkeypatch.setattr(training, "fingerprint", lambda of, **_: {"loop.py": "a", "of": of})
    Path("params.yaml").write_text(json.dumps(PARAMS | {"train": TRAINING}))
    trainer = training.StageTrainer("imp@base-0-round1", "base", 0, 1)
    before = trainer.state({}, range(2))
    assert trainer.state({}, range(2)) == before
    monkeypatch.setattr(training, "fingerprint", lambda of, **_: {"loop.py": "b", "of": of})
    assert trainer.state({}, range(2)) != before


@pytest.mark.usefixtures("root")
def test_a_training_on_other_images_has_another_key(monkeypatch):
    """One pixel, of one image, of the split that decides."""
    monkeypatch.setattr(training, "fingerprint", lambda of, **_: {"of": of})
    Path("params.yaml").write_text(json.dumps(PARAMS | {"train": TRAINING}))
    before = training.StageTrainer("imp@base-0-round1", "base", 0, 1).state({}, range(2))
    dataset = Dataset.load("data/noise")
    images = dataset.split("val").images.clone()
    images[0, 0, 0, 0] ^= 1
    parts = {**dataset.parts, "val": Split(images, dataset.labels("val"))}
    replace(dataset, parts=parts).save("data/noise")
    assert training.StageTrainer("imp@base-0-round1", "base", 0, 1).state({}, range(2)) != before
