"""The page and the files of figures, from tables that a small experiment might leave."""

import re
from dataclasses import replace

import pytest

from tasks.kit.code import fingerprint
from tasks.reporting.imp_pool import summary
from tasks.reporting.imp_pool.numbers import claims_tables
from tasks.reporting.machine import machine_table
from tasks.reporting.sgd_noise.published import READS as SGD_NOISE
from tasks.reporting.sgd_noise.rows import OWN
from tests.tasks.reporting.made import METHODS, results
from tests.tasks.reporting.pages import ALWAYS, POOLED, SMALL, draw, report, stub_files
from tests.tasks.reporting.sgd_noise.noise_results import SMALL as NOISE
from tests.tasks.reporting.sup_tickets.results_of import FEW

SUP_TABLES = {"sup_tickets", "cheap_tickets", "diversity", "layer_density", "siblings"}


@pytest.fixture
def drawn(monkeypatch):
    return stub_files(monkeypatch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield report(SMALL, tmp_path_factory.mktemp("whole"), patch)


def test_the_made_tables_are_not_empty():
    rows = SMALL.rows()
    unread = {"pool_search"}
    noise = {*OWN, "predictors"}
    assert {name for name in rows if not rows[name]} == SUP_TABLES | noise | unread
    every = replace(SMALL, sup=FEW, sgd=NOISE).rows()
    assert {name for name in every if not every[name]} == unread


def test_every_figure_is_on_the_page_and_in_a_file(whole):
    page, files = whole
    assert set(page.figures) == ALWAYS | POOLED
    expected = {f"{name}.svg" for name in page.figures}
    assert set(files) == expected | {"report.html"}
    assert all(b"<svg" in files[f"{name}.svg"] for name in page.figures)
    assert "Left out" not in page.text


def test_the_page_refers_to_nothing_outside_itself(whole):
    page, files = whole
    for address in page.addresses:
        assert address.startswith(("data:", "#")), address[:80]
    assert {address[1:] for address in page.addresses if address[0] == "#"} <= page.ids
    assert not page.tags & {"script", "iframe", "object", "embed"}
    style = re.findall(r"<style>(.*?)</style>", files["report.html"].decode(), re.DOTALL)
    assert not any("url(" in sheet or "@import" in sheet for sheet in style)


def test_equal_tables_give_equal_bytes_and_others_do_not(tmp_path, monkeypatch):
    few = replace(SMALL, methods=("interpolation",), corruptions=("fog",), seeds=(0,), tickets=2)
    first = report(few, tmp_path / "a", monkeypatch)[1]
    assert report(few, tmp_path / "b", monkeypatch)[1] == first
    changed = report(replace(few, barriers=(0.006, 0.25)), tmp_path / "c", monkeypatch)[1]
    differing = {name.partition(".")[0] for name in first if first[name] != changed[name]}
    # A barrier shapes the landscape alone, and with it the page.
    assert {"heatmap", "interpolation", "barriers", "report"} <= differing
    assert not differing & {"masks-base", "corruptions-base"}


def test_a_variant_that_was_not_pooled_has_its_tickets_on_the_page(whole):
    page, _ = whole
    assert "no-rewind (no rewinding)" in page.text
    assert "accuracy-no-rewind" not in page.figures
    assert "variant no-rewind: accuracy on test images" in page.text
    assert "variant no-rewind: accuracy on corrupted images" in page.text


@pytest.mark.usefixtures("drawn")
def test_a_second_pooled_variant_has_figures_of_its_own(tmp_path, monkeypatch):
    few = ("interpolation", "average", "prune-after")
    made = replace(SMALL, variants=("base", "wide"), pooled=("base", "wide"), methods=few)
    page, _ = report(made, tmp_path, monkeypatch)
    for name in ("accuracy-base", "accuracy-wide", "ablation-prune-base", "ablation-prune-wide"):
        assert name in page.figures


@pytest.mark.parametrize(
    ("gone", "figure", "reason"),
    [
        ({"prune-after"}, "ablation-prune", "differs from the first search in prune alone"),
        ({"candidates-1", "candidates-2"}, "ablation-candidates", "in candidates alone"),
        (
            {"coefficients-3", "coefficients-7", "average"},
            "ablation-coefficients",
            "in coefficients alone",
        ),
        (
            {"greedy-soup", "uniform-soup"},
            "soups",
            "greedy-soup or uniform-soup in pooling.methods",
        ),
    ],
)
def test_without_its_methods_a_figure_is_left_out_with_a_reason(
    gone, figure, reason, tmp_path, monkeypatch, drawn
):
    few = tuple(m for m in METHODS if m not in gone)
    page, _ = report(replace(SMALL, methods=few, seeds=(0,)), tmp_path, monkeypatch)
    assert set(page.figures) == set(drawn) == ALWAYS | POOLED - {f"{figure}-base"}
    left_out = re.findall(r"Left out: (.+?) ?\. ", page.text)
    assert len(left_out) == 1
    assert reason in left_out[0]


@pytest.mark.usefixtures("drawn")
def test_a_run_that_was_never_pooled_still_has_a_report(tmp_path, monkeypatch):
    page, _ = report(replace(SMALL, pooled=()), tmp_path, monkeypatch)
    assert set(page.figures) == ALWAYS
    # One line for each chapter of theirs, and one for the table of the paired test.
    assert page.text.count("Left out") == 4 + 1
    assert "Left out: Number of candidates, Number of coefficients, When to prune (" in page.text


@pytest.mark.usefixtures("drawn")
def test_one_seed_has_no_deviation(tmp_path, monkeypatch):
    made = replace(SMALL, seeds=(0,), methods=("interpolation",))
    page, _ = report(made, tmp_path, monkeypatch)
    shown, _, parameters = page.text.partition("Parameters The file")
    assert parameters
    assert "±" not in shown
    assert "nan" not in shown.lower()
    assert ", one seed" in shown


@pytest.mark.usefixtures("drawn")
def test_what_a_person_wrote_into_the_parameters_is_text_on_the_page(tmp_path, monkeypatch):
    replace(SMALL, pooled=()).write(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text() + "# <script>alert('boo')</script> & more\n")
    page, _ = draw(tmp_path, monkeypatch)
    assert "script" not in page.tags
    assert "# <script>alert('boo')</script> & more" in page.text


@pytest.mark.parametrize(
    ("dataset", "model", "published"),
    [("cifar100", "vgg16", True), ("cifar100", "resnet8", False), ("digits", "vgg16", False)],
)
def test_the_papers_numbers_stand_beside_ours_if_the_setting_is_the_papers(
    dataset, model, published, tmp_path, monkeypatch, drawn
):
    made = replace(SMALL, dataset=dataset, model=model, methods=("interpolation", "swa"))
    page, _ = report(made, tmp_path, monkeypatch)
    assert ("73.11 ± 0.22" in page.text) is published
    assert ("The paper's numbers beside ours" in page.text) is published
    # Stated in the text, of corrupted images: in no table of the paper.
    assert ("+2.27" in page.text) is published
    left = drawn["accuracy-base"].axes[0]
    hollow = [line for line in left.lines if line.get_markerfacecolor() == "none"]
    shown = [float(y) for line in hollow for y in line.get_ydata()]
    # At our densities alone, or the paper's sparsest tickets would stretch the axis.
    assert shown == pytest.approx([73.11] * 3 * SMALL.tickets * published)


@pytest.mark.usefixtures("drawn")
def test_the_papers_tickets_are_rewound_so_they_stand_beside_no_others(tmp_path, monkeypatch):
    made = replace(SMALL, dataset="cifar100", model="vgg16", methods=("interpolation",))
    made = replace(made, variants=("no-rewind",), pooled=("no-rewind",))
    page, _ = report(made, tmp_path, monkeypatch)
    assert "73.11" not in page.text


def test_the_headline_is_of_the_first_headline_method(whole):
    page, _ = whole
    gained = summary.gains(SMALL.frames()).query("method == 'interpolation'")
    for images in ("test", "corrupted"):
        mean = 100 * gained.query("images == @images")["gain"].mean()
        assert f"on {images} images: {mean:+.2f} points over the unpooled tickets" in page.text
    assert "paired Wilcoxon test over 8 pairs: p = 0.0078, too small" in page.text
    assert "Rewinding's effect is visible" in page.text
    assert "p comes out too small" in page.text


def test_a_claim_at_one_density_stands_beside_our_gain_at_that_density_alone():
    made = replace(SMALL, tickets=19, dataset="cifar100", model="vgg16")
    (sparse,), (few,) = (claims_tables(results(run)) for run in (made, replace(made, tickets=4)))
    gained = summary.gains(made.frames()).query("method == 'interpolation' and images == 'test'")
    by_ticket = 100 * gained.groupby("ticket")["gain"].mean()
    ours = {row[0]: row[-1] for row in sparse.rows if row[3] == "test images"}
    assert ours["gain at 1.8% density"] == f"{by_ticket[18]:+.2f}"
    assert ours["highest gain"] == f"{by_ticket[1:].max():+.2f}"
    assert [row[-1] for row in few.rows if row[0] == "gain at 1.8% density"] == ["–"]


def test_the_page_says_in_which_precision_and_on_what_each_stage_ran(whole):
    page, _ = whole
    assert "landscape, imp cpu fp32 1 3.11.9 2.13.0" in page.text
    mixed = results(SMALL)
    stages = mixed.frames["stages"]
    stages.loc[stages["stage"] == "imp", "precision"] = "bf16"
    rows = [(row[0], row[2]) for row in machine_table(mixed.frames["stages"]).rows]
    assert sorted(rows) == [("imp", "bf16"), ("landscape", "fp32")]


def test_what_the_report_reads_beside_its_modules_is_part_of_its_code():
    files = fingerprint(["tasks.report"])
    assert {path for path in files if not path.endswith(".py")} == {
        "tasks/reporting/report.html.j2",
        "presets/published/claims.csv",
        "presets/published/results.csv",
        "presets/published/sup_tickets.csv",
        "presets/published/sup_tickets_diversity.csv",
        *SGD_NOISE,
    }
    # What the report does not run must not redraw it: no corruption, recipe or network.
    assert not any("kinds" in path or "recipes" in path or "networks" in path for path in files)
    assert "lp_core/corruptions/names.py" in files
