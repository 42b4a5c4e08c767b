"""The example with an own image folder: its commands, one after another, in a project."""

import re
import shutil
from pathlib import Path

import pytest

from tasks.kit.code import PROJECT
from tests.dag.project import Project

README = (PROJECT / "examples" / "README.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[1].splitlines()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One in which the commands have run."""
    project = Project(tmp_path_factory.mktemp("own_images"))
    shutil.copytree(PROJECT / "examples", project.root / "examples")
    for command in COMMANDS:
        if command.startswith("dvc "):  # in this way without DVC's imports
            project.dvc(*command.split()[1:])
        else:
            project.run("bash", "-c", command)
    return project


def test_every_image_of_the_folder_is_in_the_data_set(project):
    from lp_core.data.store import Dataset

    dataset = Dataset.load(project.root / "data" / "own")
    assert dataset.classes == sorted(["three", "four", "five", "six", "seven"])
    files = list(Path(project.root, "downloads/own").rglob("*.png"))
    assert sum(len(dataset.labels(split)) for split in ("train", "val", "test")) == len(files)
    assert len(dataset.labels("test")) == sum("test" in file.parts for file in files)


def test_the_tickets_learn_and_are_pooled(project):
    pools = project.table("pools").query("split == 'test'")
    assert sorted(pools["ticket"]) == [0, 1, 2]
    assert (pools["accuracy"] > 0.5).all()  # five classes: chance is 0.2
    ood = project.table("ood")
    assert set(ood["corruption"]) == {"gaussian_noise", "motion_blur", "fog", "pixelate"}
    assert "own" in (project.root / "results" / "summary.md").read_text()


def test_an_unchanged_folder_is_not_read_again_and_one_image_less_is_seen(project):
    listed = COMMANDS[1]
    project.run("bash", "-c", listed)
    assert "up to date" in project.dvc("status")
    next(Path(project.root, "downloads/own/train").rglob("*.png")).unlink()
    assert "up to date" in project.dvc("status")
    project.run("bash", "-c", listed)
    assert "dataset@own" in project.dvc("status")
