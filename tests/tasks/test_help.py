"""What `--help` says of every stage."""

import pytest

from tasks.kit.arguments import explanation
from tasks.kit.code import PROJECT
from tests.options import options

STAGES = sorted(
    f"tasks.{file.stem}" for file in PROJECT.glob("tasks/*.py") if file.stem != "__init__"
)


@pytest.mark.parametrize("command", [*STAGES, "tasks.export", "presets"])
@pytest.mark.filterwarnings("ignore")  # of a module that is imported already
def test_every_option_is_explained(command, monkeypatch):
    explained = options(command, monkeypatch)
    assert explained
    assert [name for name, told in explained.items() if not told] == []


def test_an_explanation_names_the_section_that_the_values_are_from():
    assert explanation("dataset", "datasets").endswith("a name under `datasets`")
    assert explanation("dataset", "") != explanation("target", "")
    assert explanation("no_such_argument", "") == ""
