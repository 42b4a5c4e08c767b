"""The page has a part for each flow that ran."""

import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from tests.tasks.reporting.made_sup import MadeSup
from tests.tasks.reporting.pages import ALWAYS, POOLED, SMALL, draw, report, stub_files
from tests.tasks.reporting.sup_tickets.results_of import made_of
from tests.tasks.reporting.test_markup import Tree

SUP = MadeSup(methods=("dense", "rigl", "rigl-95"), corruptions=("fog",))
SUP_FIGURES = {
    f"sup-{name}-base"
    for name in (
        *("accuracy", "density", "flops", "uncertainty", "corrupted", "cycles", "cheap"),
        *("averages", "cycle-length", "numbers", "schedules", "batch-norm", "exploration"),
        *("diversity", "layers", "search", "siblings"),
    )
}


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    return stub_files(monkeypatch)


def test_both_flows_have_a_part_with_a_headline_of_its_own(tmp_path, monkeypatch):
    page, files = report(replace(SMALL, sup=SUP), tmp_path, monkeypatch)
    assert set(page.figures) == ALWAYS | POOLED | SUP_FIGURES
    assert {"imp-pool", "imp-pool-headline", "sup-tickets", "sup-tickets-headline"} <= page.ids
    assert "Lottery Pools and Sup-tickets: resnet8 on digits" in page.text
    assert "Left out" not in page.text
    assert "landscape, imp, sparse, ending cpu fp32" in page.text
    linked = {address[1:] for address in page.addresses if address[0] == "#"}
    assert linked <= page.ids
    tree = Tree(files["report.html"].decode())
    alts = [image["alt"] for image in tree.all("img")]
    assert len(set(alts)) == len(alts)
    ids = [attrs["id"] for _, attrs, _ in tree.found if "id" in attrs]
    assert len(set(ids)) == len(ids)


def test_a_part_is_the_same_whether_or_not_the_other_flow_ran(tmp_path, monkeypatch):
    both, alone, sparse = (
        report(made, tmp_path / name, monkeypatch)[1]["report.html"].decode()
        for name, made in (
            ("both", replace(SMALL, sup=SUP)),
            ("alone", SMALL),
            ("sparse", made_of(SUP)),
        )
    )
    assert _part(both, "imp-pool") == _part(alone, "imp-pool") != ""
    assert _part(both, "sup-tickets") == _part(sparse, "sup-tickets") != ""
    assert _part(alone, "sup-tickets") == _part(sparse, "imp-pool") == ""


def test_a_flow_that_is_off_has_no_part(tmp_path, monkeypatch, drawn):
    page, _ = report(made_of(SUP), tmp_path, monkeypatch)
    assert set(page.figures) == set(drawn) == SUP_FIGURES
    assert page.text.count("Lottery Pools:") == 0
    assert "nan" not in page.text.lower()


@pytest.mark.parametrize(
    ("made", "figure", "reason"),
    [
        (replace(SUP, ablations=("caa",)), "schedules", "differs from cia in schedule alone"),
        (replace(SUP, siblings=0), "siblings", "table siblings has no rows of sparse training"),
        (replace(SUP, methods=("rigl",)), "density", "no variant has a recipe of two densities"),
        (replace(SUP, ablations=("caa",)), "search", "no ending of this run has average: search"),
        (replace(SUP, corruptions=()), "corrupted", "table ood has no rows of sparse training"),
    ],
)
def test_a_figure_that_is_left_out_says_why(made, figure, reason, tmp_path, monkeypatch):
    page, _ = report(made_of(made), tmp_path, monkeypatch)
    assert f"sup-{figure}-base" in SUP_FIGURES - set(page.figures)
    assert reason in page.text


def test_a_training_that_failed_is_named(tmp_path, monkeypatch):
    made_of(SUP).write(tmp_path)
    path = tmp_path / "results" / "sup_tickets.parquet"
    frame = pq.read_table(path).to_pandas()
    lost = (frame["method"] == "rigl") & (frame["seed"] == 1) & (frame["ending"] == "cia")
    frame.loc[lost, "converged"] = False
    frame.loc[lost, ["accuracy", "nll", "ece"]] = float("nan")
    frame.to_parquet(path)
    page, _ = draw(tmp_path, monkeypatch)
    assert "sparse trainings did not converge (variant base, rigl, ending cia, seed 1)" in page.text
    assert set(page.figures) == SUP_FIGURES
    assert "nan" not in page.text.lower()


def _part(page: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    return found.group(1) if found else ""
