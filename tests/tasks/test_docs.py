"""What README.md and docs/ say of the project's names is so."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from docs.picture import PANELS, read_table
from lp_core import faces
from lp_core.models.spec import NETWORKS
from lp_core.pooling.spec import RECIPES
from lp_core.tables import TABLES
from presets.overlays import names

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = ["dataset", "model", "variant", "seed"]


def table_rows(page: str, head: str) -> list[list[str]]:
    """The cells of a page's Markdown table whose head starts so."""
    after = (ROOT / page).read_text().split(f"\n| {head} |", 1)[1]
    lines = after.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def in_code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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


def test_the_readme_lists_the_stages_of_the_graph():
    rows = table_rows("README.md", "stage")
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {name for row in rows for name in in_code(row[0])} == set(stages)


def test_the_presets_page_lists_every_preset():
    rows = table_rows("docs/presets.md", "preset")
    assert sorted(name for row in rows for name in in_code(row[0])) == sorted(names())


def test_the_method_page_lists_every_recipe():
    rows = table_rows("docs/method.md", "recipe")
    assert {name for row in rows for name in in_code(row[0])} == set(faces.names(RECIPES))


def test_the_data_page_lists_every_network():
    section = (ROOT / "docs" / "data.md").read_text().split("## Networks", 1)[1]
    listed = in_code(section.split(" are there.", 1)[0])
    assert sorted(listed) == sorted(faces.names(NETWORKS))


@pytest.mark.parametrize("measured", PANELS)
def test_the_picture_shows_the_numbers_of_its_page(measured):
    rows = read_table((ROOT / "docs" / "cifar10.md").read_text(), measured)
    rows = rows.set_index(["method", "density"])
    dense = {"test accuracy": (71.50, 4.08), "accuracy on corrupted images": (57.70, 3.25)}
    alone, gain = dense[measured]
    assert 100 * rows.loc[("ticket", 1.0), "mean"] == pytest.approx(alone)
    assert 100 * rows.loc[("interpolation", 1.0), "mean"] == pytest.approx(alone + gain)
    assert len(rows) == 6 * 5
