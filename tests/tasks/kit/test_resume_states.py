"""When the kept state of a training goes."""

import os
import time
from pathlib import Path

import pytest

from tasks.kit import resume as resuming

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".resume").mkdir()


def keep(stage: str, key: str = "a", done: bool = True, age: float = 0.0) -> Path:
    file = resuming.state(stage, key)
    file.touch()
    if done:
        resuming.finish(file)
    os.utime(file, times=(time.time() - age,) * 2)
    return file


def test_states_of_finished_trainings_go_when_a_later_stage_begins():
    kept = [keep("pretrain@base-0"), keep("imp@base-0-round0"), keep("imp@base-0-round1", "b")]
    resuming.forget("base", 0, "imp@base-0-round2")
    assert not any(file.exists() for file in kept)
    assert list(Path(".resume").iterdir()) == []


def test_a_stage_keeps_its_own_state_though_it_finished():
    own, other = keep("imp@base-0-round1"), keep("imp@base-0-round10")
    resuming.forget("base", 0, "imp@base-0-round1")
    assert own.exists()
    assert not other.exists()


def test_a_training_of_no_epochs_leaves_nothing():
    Path(".resume").rmdir()
    resuming.finish(resuming.state("pretrain@base-0", "a"))
    assert not Path(".resume").exists()


@pytest.mark.parametrize("stage", ["imp@base-1-round0", "imp@base-x-0-round0", "pretrain@base-00"])
def test_other_variants_and_seeds_keep_theirs(stage):
    file = keep(stage)
    resuming.forget("base", 0, "landscape@base-0")
    assert file.exists()


def test_an_unfinished_training_of_other_settings_stays_for_a_month():
    young = keep("imp@base-0-round0", "young", done=False, age=29 * DAY)
    old = keep("imp@base-0-round0", "old", done=False, age=31 * DAY)
    resuming.forget("base", 0, "imp@base-0-round1")
    assert young.exists()
    assert not old.exists()
