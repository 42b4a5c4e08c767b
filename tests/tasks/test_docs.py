"""What README.md and docs/ say of the project's names is so."""

import re
import subprocess
import sys
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any, get_args

import networkx as nx
import pytest
from ruamel.yaml import YAML

from docs import stage_graph
from docs.picture import PANELS, read_table
from lp_core import faces
from lp_core.models.spec import NETWORKS
from lp_core.pooling.spec import RECIPES
from lp_core.sparsity.method_spec import METHODS, method_class
from lp_core.superposing.spec import Average, EndingSpec
from lp_core.tables import TABLES, write_table
from presets.__main__ import main as lay_over_the_default
from presets.overlays import names

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = ["dataset", "model", "variant", "seed"]


def table_rows(page: str, head: str) -> list[list[str]]:
    """The cells of a page's Markdown table whose head starts so."""
    after = (ROOT / page).read_text().split(f"\n| {head} |", 1)[1]
    lines = after.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def in_code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for address in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not address.startswith("http"):
            assert (page.parent / address).exists(), address


def test_the_tables_have_the_columns_that_their_page_lists():
    rows = table_rows("docs/tables.md", "table")
    listed = {in_code(name)[0]: columns.split(", ") for name, _, columns in rows}
    assert {name: [*RUN, *columns, "run"] for name, columns in listed.items()} == {
        name: schema.names for name, schema in TABLES.items()
    }


def test_the_page_of_the_stages_lists_those_of_the_graph():
    rows = table_rows("docs/stages.md", "stage")
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {name for row in rows for name in in_code(row[0])} == set(stages)


def test_the_picture_of_the_graph_has_every_stage_and_is_up_to_date():
    drawn = (ROOT / "docs" / "stages.svg").read_text()
    known = set(stage_graph.stages())
    assert known - set(re.findall(r'">(\w+)</text>', drawn)) == {"params", "code"}
    assert drawn == stage_graph.svg(), "run `python -m docs.stage_graph`"


def test_the_picture_of_the_graph_loses_no_way_between_stages():
    whole = stage_graph.edges()
    shown = stage_graph.needed(whole)
    for start, end in whole.edges:
        if start not in ("params", "code"):
            assert nx.has_path(shown, start, end)
    assert len(shown.edges) < len(whole.edges) / 2


def test_the_presets_page_lists_every_preset():
    rows = table_rows("docs/presets.md", "preset")
    assert sorted(name for row in rows for name in in_code(row[0])) == sorted(names())


def test_the_method_page_lists_every_recipe():
    rows = table_rows("docs/method.md", "recipe")
    assert {name for row in rows for name in in_code(row[0])} == set(faces.names(RECIPES))


def test_the_method_page_lists_every_sparse_training_and_its_settings():
    rows = table_rows("docs/method.md", "training")
    assert sorted(in_code(row[0])[0] for row in rows) == sorted(faces.names(METHODS))
    said = {"density", *(name for row in rows for name in in_code(row[1]))}
    settings = {field.name for name in faces.names(METHODS) for field in fields(method_class(name))}
    assert said == settings


def test_the_method_page_lists_every_setting_of_an_ending_with_its_default():
    rows = table_rows("docs/method.md", "ending's setting")
    names = [name for row in rows for name in in_code(row[0])]
    assert names == [field.name for field in fields(EndingSpec)]
    defaults = [text for row in rows for text in row[1].replace("`", "").split(", ")]
    assert defaults == ["", *(str(field.default) for field in fields(EndingSpec)[1:])]
    averages = table_rows("docs/method.md", "average")
    assert [in_code(row[0])[0] for row in averages] == list(get_args(Average))


def test_the_data_page_lists_every_network():
    section = (ROOT / "docs" / "data.md").read_text().split("## Networks", 1)[1]
    listed = in_code(section.split(" are there.", 1)[0])
    assert sorted(listed) == sorted(faces.names(NETWORKS))


def blocks(page: str, first: str) -> list[str]:
    """The YAML of a page that begins with a key."""
    return re.findall(rf"```yaml\n({first}:.*?)```", (ROOT / page).read_text(), re.DOTALL)


WHOLE = [*blocks("docs/presets.md", "grid"), *blocks("docs/data.md", "grid")]
CHECKPOINTS = blocks("docs/checkpoints.md", "seeds")


@pytest.mark.parametrize("block", [*WHOLE, *CHECKPOINTS])
def test_yaml_that_names_variants_is_a_preset(tmp_path, block):
    (tmp_path / "mine.yaml").write_text(block)
    lay_over_the_default([str(tmp_path / "mine.yaml"), "--to", str(tmp_path / "params.yaml")])


def test_the_preset_of_checkpoints_trains_nothing():
    assert (len(WHOLE), len(CHECKPOINTS)) == (4, 1)
    params = YAML(typ="safe").load(CHECKPOINTS[0])
    assert params["grid"] == params["sup_tickets"]["variants"] == []
    assert params["sgd_noise"]["variants"] == params["sgd_noise"]["crossed"] == []


def questions(heading: str) -> list[str]:
    """The code of the questions that docs/tables.md asks under a heading."""
    section = (ROOT / "docs" / "tables.md").read_text().split(f"## {heading}", 1)[1]
    return re.findall(r"```python\n(.*?)```", section.split("\n## ", 1)[0], re.DOTALL)


THREE_MORE = questions("Three more")
TWO_MORE = questions("Two more")


@pytest.fixture
def sparse_trainings(tmp_path: Path) -> Path:
    """Tables of two methods, two endings and two seeds, of which cheap tickets win 10 points."""
    whose: list[dict[str, Any]] = [
        {"method": method, "ending": ending}
        for method, ending in product(("dense", "rigl"), ("plain", "cia"))
    ]
    scores = {"split": "test", "density": 0.1, "digest": "d", "nll": 1.0, "ece": 0.1}
    cheap = {"accuracy": 0.5, "average_accuracy": 0.7, "epoch": 5.0}
    cost = {"train_flops": 3, "test_flops": 1, "train_fraction": 0.3, "test_fraction": 0.1}
    how = {"average": "cia", "cycle": 1, "tickets": 2, "converged": True, "train_seconds": 1.0}
    layer: dict[str, Any] = {"epoch": 5, "layer": "stem.0.weight", "weights": 432, "density": 0.8}
    apart = {"a": 1, "b": 2, "disagreement": 0.1, "kl": 0.2}
    rows: dict[str, list[dict[str, Any]]] = {
        "sup_tickets": [
            scores | cost | how | one | {"sup": sup, "accuracy": 0.6 + 0.1 * sup}
            for one in whose
            for sup in [one["ending"] == "cia"]
        ],
        "cheap_tickets": [scores | cheap | whose[1] | {"cheap": number} for number in (1, 2)],
        "diversity": [
            apart | whose[1] | {"kind": "cheap"},
            apart | {"kind": "tree-net", "method": None, "ending": None},
        ],
        "layer_density": [layer | one for one in [*whose, {"method": "rigl", "ending": None}]],
    }
    for name, of_each in rows.items():
        runs = [{"dataset": "d", "model": "m", "variant": "base", "seed": seed} for seed in (0, 1)]
        each = [run | row for run in runs for row in of_each]
        write_table(name, each, tmp_path / "results", {"run": "12345678"})
    return tmp_path


@pytest.mark.parametrize(("number", "shown"), [(0, "0.1"), (1, "0.7"), (2, "tree-net")])
def test_the_questions_about_sparse_trainings_are_answered(sparse_trainings, number, shown):
    command = [sys.executable, "-W", "error", "-c", THREE_MORE[number]]
    answer = subprocess.run(command, cwd=sparse_trainings, capture_output=True, text=True)
    assert answer.stderr == ""
    assert shown in answer.stdout
    assert "Empty" not in answer.stdout


@pytest.fixture
def noisy_trainings(tmp_path: Path) -> Path:
    """Tables of two variants: the barrier of one is a point, of the other ten; and gains fall as
    barriers rise."""
    pair = {"start": "rewind", "removed": None, "noise_a": 1, "density": 1.0, "loss_barrier": 0.1}
    of_each = {"stable": (0.01, True, 0.02), "unstable": (0.1, False, 0.0)}
    runs = [
        {"dataset": "d", "model": "m", "variant": variant, "seed": seed}
        for variant in of_each
        for seed in (0, 1)
    ]
    rows: dict[str, list[dict[str, Any]]] = {"instability": [], "predictors": []}
    for run in runs:
        barrier, stable, gain = of_each[str(run["variant"])]
        rows["instability"] += [
            run | pair | {"noise_b": b, "split": "val", "error_barrier": barrier, "stable": stable}
            for b in (2, 3)
        ]
        whose = {"method": "interpolation", "ticket": 0, "density": 1.0, "disagreement": 0.1}
        both = {"gain": gain, "barrier": barrier, "instability": barrier}
        rows["predictors"].append(run | whose | both)
    for name, each in rows.items():
        write_table(name, each, tmp_path / "results", {"run": "12345678"})
    return tmp_path


@pytest.mark.parametrize(("number", "shown"), [(0, r"unstable rewind .*False"), (1, r"-1\.0")])
def test_the_questions_about_sgd_noise_are_answered(noisy_trainings, number, shown):
    command = [sys.executable, "-W", "error", "-c", TWO_MORE[number]]
    answer = subprocess.run(command, cwd=noisy_trainings, capture_output=True, text=True)
    assert answer.stderr == ""
    assert re.search(shown, re.sub(" +", " ", answer.stdout)), answer.stdout


def test_the_docs_ask_no_question_about_them_that_is_not_tested():
    assert (len(THREE_MORE), len(TWO_MORE)) == (3, 2)


@pytest.mark.parametrize("measured", PANELS)
def test_the_picture_shows_the_numbers_of_its_page(measured):
    rows = read_table((ROOT / "docs" / "cifar10.md").read_text(), measured)
    rows = rows.set_index(["method", "density"])
    dense = {"test accuracy": (71.50, 4.08), "accuracy on corrupted images": (57.70, 3.25)}
    alone, gain = dense[measured]
    assert 100 * rows.loc[("ticket", 1.0), "mean"] == pytest.approx(alone)
    assert 100 * rows.loc[("interpolation", 1.0), "mean"] == pytest.approx(alone + gain)
    assert len(rows) == 6 * 5
