"""When the kept state of a training goes."""

import os
import time
from pathlib import Path

import pytest

from tasks.kit import resume

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".resume").mkdir()


def keep(stage: str, key: str = "a", done: bool = True, age: float = 0.0) -> Path:
    file = resume.state(stage, key)
    file.touch()
    if done:
        resume.finish(file)
    os.utime(file, times=(time.time() - age,) * 2)
    return file


def test_the_states_of_a_finished_training_go_with_their_marks():
    states = [keep("imp@base-0-round1"), keep("imp@base-0-round1", "b")]
    resume.forget("imp@base-0-round1")
    assert not any(file.exists() for file in states)
    assert list(Path(".resume").iterdir()) == []


def test_an_unfinished_training_keeps_its_state():
    file = keep("imp@base-0-round1", done=False)
    resume.forget("imp@base-0-round1")
    assert file.exists()


def test_a_training_of_no_epochs_leaves_nothing():
    Path(".resume").rmdir()
    resume.finish(resume.state("pretrain@base-0", "a"))
    assert not Path(".resume").exists()


@pytest.mark.parametrize(
    "stage", ["imp@base-0-round10", "imp@base-1-round1", "imp@x-base-0-round1", "pretrain@base-0"]
)
def test_other_trainings_keep_theirs(stage):
    file = keep(stage)
    resume.forget("imp@base-0-round1")
    assert file.exists()


def test_a_training_of_other_settings_stays_for_a_month():
    young = keep("imp@base-0-round0", "young", done=False, age=29 * DAY)
    old = keep("imp@base-0-round0", "old", done=False, age=31 * DAY)
    resume.forget_old()
    assert young.exists()
    assert not old.exists()


def test_what_lies_beside_a_state_goes_with_it_and_alone_after_a_month():
    file = keep("ending@base-0-rigl-cia")
    folders = [resume.beside(each) for each in (file, resume.state("ending@x", "b"))]
    for folder in folders:
        folder.mkdir()
        (folder / "cheap-1.safetensors").touch()
    resume.forget_old()
    resume.forget("ending@base-0-rigl-cia")
    assert [folder.exists() for folder in folders] == [False, True]
    os.utime(folders[1], times=(time.time() - 31 * DAY,) * 2)
    resume.forget_old()
    assert list(Path(".resume").iterdir()) == []
