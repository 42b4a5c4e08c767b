"""The training that `pretrain` and `imp` share: its two seeds, and what tells runs apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lp_core.errors import InputError
from tasks.kit import paths
from tasks.kit.run_key import mask_digest
from tasks.kit.training import Finished, StageTrainer
from tests.lp_core.strategies import bits
from tests.tasks.tiny import make_tickets

TRAIN: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": {"lr": 0.05},
    "augment": {"crop": 1, "flip": False},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    variants = {
        "base": {},
        "other-noise": {"train": {"noise": 5}},
        "other-init": {"train": {"init": 5}},
        "both": {"train": {"init": 0, "noise": 0}},
    }
    make_tickets(tmp_path, monkeypatch, {"train": TRAIN, "variants": variants})
    return tmp_path


def _trained(variant: str, seed: int = 0) -> tuple[dict[str, bytes], dict[str, bytes], Finished]:
    trainer = StageTrainer(f"pretrain@{variant}-{seed}", variant, seed)
    before = bits(trainer.model.state_dict())
    finished = trainer.train({}, range(1), trainer.state({}, range(1)))
    return before, bits(trainer.model.state_dict()), finished


@pytest.mark.usefixtures("root")
def test_init_and_noise_are_settable_apart_and_come_from_the_seed_otherwise():
    initial, trained, _ = _trained("base")
    for variant, seed, same_init, same_noise in [
        ("other-noise", 0, True, False),
        ("other-init", 0, False, True),
        ("both", 7, True, True),
    ]:
        before, after, _ = _trained(variant, seed)
        assert (before == initial) == same_init
        assert (after == trained) == (same_init and same_noise)


@pytest.mark.usefixtures("root")
def test_runs_of_other_seeds_masks_or_epochs_keep_their_states_apart():
    def key(variant: str, seed: int, masks: dict[str, torch.Tensor], epochs: range) -> str:
        return StageTrainer("imp@x", variant, seed, 1).state(masks, epochs).name

    ones = {"conv1.weight": torch.ones(2, 2, dtype=torch.bool)}
    keys = [
        key("base", 0, ones, range(2)),
        key("base", 1, ones, range(2)),
        key("other-noise", 0, ones, range(2)),
        key("base", 0, {name: ~mask for name, mask in ones.items()}, range(2)),
        key("base", 0, ones, range(1, 2)),
    ]
    assert len(set(keys)) == len(keys)
    assert key("base", 0, ones, range(2)) == keys[0]


@pytest.mark.usefixtures("root")
def test_the_state_of_a_training_lies_under_resume_and_ends_it_when_run_again(capsys):
    _, trained, finished = _trained("base")
    assert finished.state.parent == paths.RESUME
    assert finished.seconds == sum(epoch.seconds for epoch in finished.curve)
    capsys.readouterr()
    _, again, same = _trained("base")
    assert again == trained
    assert same == finished
    assert capsys.readouterr().out == f"pretrain@base-0: going on from {finished.state}\n"


def _trained_on(subset: list[int] | None, batch_size: int = 8) -> StageTrainer:
    trainer = StageTrainer("pretrain@base-0", "base", 0)
    trainer.spec = replace(trainer.spec, batch_size=batch_size)
    if subset is not None:
        trainer.train_on(np.array(subset))
    trainer.train({}, range(1), trainer.state({}, range(1)))
    return trainer


@pytest.mark.usefixtures("root")
def test_a_training_on_a_part_sees_that_part_alone():
    trainer = StageTrainer("pretrain@base-0", "base", 0)
    part = np.arange(3, 21)
    trainer.train_on(part)
    seen = torch.cat([batch.indices for batch in trainer.loader.epoch(0)])
    assert len(trainer.loader) == 2
    assert len(seen) == len(seen.unique()) == 16
    assert set(seen.tolist()) <= set(part.tolist())
    assert set(trainer.first_batch().indices.tolist()) <= set(part.tolist())


@pytest.mark.usefixtures("root")
def test_a_training_on_every_image_is_the_ordinary_one():
    every, ordinary = _trained_on(list(range(32))), _trained_on(None)
    assert bits(every.model.state_dict()) == bits(ordinary.model.state_dict())


@pytest.mark.usefixtures("root")
def test_a_batch_is_at_most_the_part():
    trainer = _trained_on([1, 4, 7], batch_size=64)
    assert trainer.spec.batch_size == 3
    assert len(trainer.curve) == 1
    assert len(trainer.loader) == 1


@pytest.mark.usefixtures("root")
def test_trainings_on_other_parts_keep_their_states_apart():
    def key(subset: list[int] | None) -> str:
        trainer = StageTrainer("imp@x", "base", 0, 1)
        if subset is not None:
            trainer.train_on(np.array(subset))
        return trainer.state({}, range(2)).name

    parts = [None, list(range(8)), list(range(1, 9)), list(range(9))]
    assert len({key(part) for part in parts}) == len(parts)


@pytest.mark.usefixtures("root")
def test_a_part_that_devices_cannot_share_is_refused():
    trainer = StageTrainer("pretrain@base-0", "base", 0)
    trainer.spec = replace(trainer.spec, devices=2)
    trainer.train_on(np.arange(5))
    assert trainer.spec.batch_size == 4
    with pytest.raises(InputError, match=r"train\.devices is 2, but training is on 1 image"):
        trainer.train_on(np.arange(1))


def test_masks_of_equal_bits_and_other_names_differ():
    mask = torch.tensor([True, False, True])
    digests = {mask_digest(masks) for masks in ({"a": mask}, {"b": mask}, {"a": ~mask}, {})}
    assert len(digests) == 4
