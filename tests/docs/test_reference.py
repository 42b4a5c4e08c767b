"""The pages of the documentation: they can be built, and have every public name."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from docs.docstrings import listed
from docs.reference import on_page_markdown, page, rooms
from tasks.kit.code import PROJECT

# What other people's scripts may rely on.
PUBLIC = [
    *("tickets.Ticket", "tickets.Ticket.density", "tickets.Ticket.save", "tickets.Ticket.load"),
    *("tickets.Ticket.from_state_dict", "tickets.Ticket.state_dict", "tickets.Ticket.network"),
    *("sparsity.magnitude_mask", "sparsity.erk_densities"),
    *("pooling.interpolate", "pooling.search", "pooling.superpose", "pooling.pool"),
    "data.corrupt",
    *("analysis.error_barrier", "analysis.convergence_speed", "analysis.disagreement"),
    *("analysis.expected_calibration_error", "analysis.kl_divergence"),
    "training.superposing_lr",
    *("corruptions.corrupt", "corruptions.CORRUPTIONS", "corruptions.FAMILIES"),
    *("exporting.export", "exporting.ExportError"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` writes, where every warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_reference_has_every_public_name(site):
    head, inventory = (site / "objects.inv").read_bytes().split(b"zlib.\n")
    assert b"Sphinx inventory" in head
    names = {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines()}
    assert [name for name in PUBLIC if f"lp_core.{name}" not in names] == []


def test_the_pages_have_the_picture_of_the_stages(site):
    assert (site / "stages.svg").is_file()
    assert 'src="stages.svg"' in (site / "index.html").read_text()


def test_a_click_on_the_picture_opens_it_large_and_the_pages_say_so(site):
    for file, above in (("index.html", ""), ("stages/index.html", "../")):
        text = (site / file).read_text()
        assert f'<a href="{above}stages.svg"><img' in text
        assert "click opens the picture large" in text


def test_the_pages_have_the_projects_stylesheet(site):
    """Which keeps names in tables whole, and commands from under the button that copies them."""
    assert 'href="../site.css"' in (site / "tables" / "index.html").read_text()
    assert "td:first-child code { white-space: nowrap; }" in (site / "site.css").read_text()


def test_a_link_to_a_module_leads_to_its_page(site):
    assert 'href="reference/tickets/">lp_core.tickets<' in (site / "index.html").read_text()
    shown = on_page_markdown("[a](../lp_core/pooling) [b](../lp_core/files.py) [c](data.md)")
    assert shown == "[a](reference/pooling.md) b [c](data.md)"


def test_a_name_in_a_face_is_in_the_reference():
    import lp_core

    assert {"pooling", "tickets", "tables"} < set(rooms()) <= set(vars(lp_core)["__all__"])
    assert "\n::: lp_core.sparsity.magnitude_mask\n" in page("sparsity")
    assert page("tickets").startswith("# lp_core.tickets\n\n::: lp_core.tickets\n")


def test_a_line_on_an_argument_becomes_an_item():
    text = """Does a thing.

    alpha: a weight,
    from 0 to 1.
    keep, beta:  how
                 many.
    Raises: nothing of this name is an argument.
    """
    text = "\n".join(line.strip() for line in text.splitlines())
    shown = listed(text, {"alpha", "beta", "keep"})
    assert shown.splitlines() == [
        "Does a thing.",
        "",
        "- `alpha`: a weight, from 0 to 1.",
        "- `keep, beta`: how many.",
        "",
        "Raises: nothing of this name is an argument.",
    ]
