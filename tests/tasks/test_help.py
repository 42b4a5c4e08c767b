"""What `--help` says of every stage, and of the commands beside them."""

import pytest

from tasks.kit.arguments import explanation
from tasks.kit.code import PROJECT
from tests.options import options

STAGES = sorted(
    f"tasks.{file.stem}" for file in PROJECT.glob("tasks/*.py") if file.stem != "__init__"
)
OTHERS = ["tasks.export", "presets", "tests.drill", "docs.stage_graph", "docs.picture"]


@pytest.mark.parametrize("command", [*STAGES, *OTHERS])
@pytest.mark.filterwarnings("ignore")  # of a module that is imported already
def test_every_option_is_explained(command, monkeypatch):
    explained = options(command, monkeypatch)
    assert explained
    assert [name for name, told in explained.items() if not told] == []


def test_an_explanation_names_the_section_that_the_values_are_from():
    assert explanation("dataset", "datasets").endswith("a name under `datasets`")
    assert explanation("dataset", "") != explanation("target", "")
    # A stage takes a pooling or a sparse training, and its section says which.
    assert explanation("method", "pooling.recipes") == "the method, a name under `pooling.recipes`"
    assert explanation("no_such_argument", "") == ""
