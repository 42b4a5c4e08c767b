"""What a public project says of itself says the same everywhere."""

import re
import tomllib
from typing import Any

from ruamel.yaml import YAML

import lp_core
from tasks.kit.code import PROJECT, fingerprint


def _yaml(path: str) -> Any:
    return YAML(typ="safe").load((PROJECT / path).read_text())


def test_the_version_is_written_once_and_quoted_rightly():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"]
    assert _yaml("CITATION.cff")["version"] == lp_core.__version__
    first = re.search(r"^## (\S+)", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == lp_core.__version__


def test_a_release_makes_no_stage_stale():
    stages = [f"tasks.{file.stem}" for file in PROJECT.glob("tasks/*.py")]
    assert "lp_core/version.py" not in fingerprint(stages)


def test_the_three_papers_are_cited():
    titles = [paper["title"] for paper in _yaml("CITATION.cff")["references"]]
    assert len(titles) == 3
    for paper in ("Lottery Pools", "Superposing Many Tickets", "The Influence of SGD noise"):
        assert any(title.startswith(paper) for title in titles)


def test_the_licence_is_that_of_the_package():
    licence = (PROJECT / "LICENSE").read_text().split()
    assert " ".join(licence[:4]) == "Apache License Version 2.0,"
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert settings["license"] == _yaml("CITATION.cff")["license"] == "Apache-2.0"


def test_the_workflow_runs_what_continuous_integration_runs():
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    commands = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert [command for command in commands if command] == [".ci/run", "make docs"]
