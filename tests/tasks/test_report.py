"""The page and the files of figures, from tables that a small experiment might leave."""

import re
from argparse import Namespace
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from lp_core.tables import TABLES
from tasks import summary
from tasks.figures import style
from tasks.report import main
from tests.tasks.made import METHODS, Made

SMALL = Made(tickets=4, corruptions=("gaussian_noise", "fog", "pixelate"))
ALWAYS = {"heatmap", "heatmap-gain", "interpolation", "barriers", "disagreement", "disagreement-kl"}
POOLED = {
    "accuracy-base",
    "ablation-candidates",
    "ablation-coefficients",
    "ablation-prune",
    "ensembles",
    "soups",
    "uncertainty",
    "corruptions",
    "masks",
}


class Page(HTMLParser):
    """What a page is made of: addresses, figures by name, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.figures: dict[str, str] = {}
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.addresses += [str(found[key]) for key in ("src", "href", "srcset") if key in found]
        self.ids.add(str(found.get("id")))
        if tag == "img":
            assert found["alt"]
            self.figures[str(found["id"])] = str(found["src"])

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(made: Made, root: Path, patch: pytest.MonkeyPatch) -> tuple[Page, dict[str, bytes]]:
    made.write(root)
    return draw(root, patch)


def draw(root: Path, patch: pytest.MonkeyPatch) -> tuple[Page, dict[str, bytes]]:
    """The page, and all that was written by name."""
    patch.chdir(root)
    main(Namespace())
    page = Path("results/report.html")
    files = {f.name: f.read_bytes() for f in sorted(Path("results/figures").iterdir())}
    return Page(page.read_text(encoding="utf-8")), files | {page.name: page.read_bytes()}


@pytest.fixture
def drawn(monkeypatch) -> dict[str, Figure]:
    """The figures of the next report by name; their files are stubs, which saves seconds."""
    found: dict[str, Figure] = {}

    def save(figure: Figure, path: Path) -> None:
        found[path.name] = figure
        path.parent.mkdir(exist_ok=True)
        path.with_name(f"{path.name}.svg").write_text("<svg/>")

    monkeypatch.setattr(style, "save", save)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield report(SMALL, tmp_path_factory.mktemp("whole"), patch)


def test_the_made_tables_fit_the_schemas(tmp_path):
    SMALL.write(tmp_path)
    for name, schema in TABLES.items():
        if name != "pool_search":  # the one that nothing here reads
            table = pq.read_table(tmp_path / "results" / f"{name}.parquet")
            assert table.schema.names == schema.names
            assert len(table)


def test_every_figure_is_on_the_page_and_in_two_files(whole):
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
    assert not any("url(" in one or "@import" in one for one in style)


def test_equal_tables_give_equal_bytes_and_others_do_not(tmp_path, monkeypatch):
    few = replace(SMALL, methods=("interpolation",), corruptions=("fog",), seeds=(0,))
    first = report(few, tmp_path / "a", monkeypatch)[1]
    assert report(few, tmp_path / "b", monkeypatch)[1] == first
    changed = report(replace(few, barriers=(0.006, 0.25)), tmp_path / "c", monkeypatch)[1]
    differing = {name.partition(".")[0] for name in first if first[name] != changed[name]}
    # A barrier shapes the landscape alone, and with it the page.
    assert {"heatmap", "interpolation", "barriers", "report"} <= differing
    assert not differing & {"masks", "corruptions"}


def test_a_variant_that_was_not_pooled_is_in_the_landscape_alone(whole):
    page, _ = whole
    assert "no-rewind (no rewinding)" in page.text
    assert "accuracy-no-rewind" not in page.figures
    assert "variant no-rewind: accuracy on test images" in page.text
    assert "variant no-rewind: accuracy on corrupted images" not in page.text


@pytest.mark.usefixtures("drawn")
def test_a_second_pooled_variant_has_figures_of_its_own(tmp_path, monkeypatch):
    few = ("interpolation", "average", "prune-after")
    made = replace(SMALL, variants=("base", "wide"), pooled=("base", "wide"), methods=few)
    page, _ = report(made, tmp_path, monkeypatch)
    for name in ("accuracy-base", "accuracy-wide", "ablation-prune", "ablation-prune-wide"):
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
        ({"greedy-soup", "uniform-soup"}, "soups", "greedy-soup or uniform-soup in pools"),
    ],
)
def test_without_its_methods_a_figure_is_left_out_with_a_reason(
    gone, figure, reason, tmp_path, monkeypatch, drawn
):
    few = tuple(m for m in METHODS if m not in gone)
    page, _ = report(replace(SMALL, methods=few, seeds=(0,)), tmp_path, monkeypatch)
    assert set(page.figures) == set(drawn) == ALWAYS | POOLED - {figure}
    left_out = re.findall(r"Left out: ([^.]*)", page.text)
    assert len(left_out) == 1
    assert reason in left_out[0]


@pytest.mark.usefixtures("drawn")
def test_a_run_that_was_never_pooled_still_has_a_report(tmp_path, monkeypatch):
    page, _ = report(replace(SMALL, pooled=()), tmp_path, monkeypatch)
    assert set(page.figures) == ALWAYS
    assert page.text.count("Left out") == len(POOLED) + 1  # the table of the paired test, too


@pytest.mark.usefixtures("drawn")
def test_one_seed_has_no_deviation(tmp_path, monkeypatch):
    made = replace(SMALL, seeds=(0,), methods=("interpolation",))
    page, _ = report(made, tmp_path, monkeypatch)
    shown, _, parameters = page.text.partition("Parameters The file")
    assert parameters
    assert "±" not in shown
    assert "nan" not in shown.lower()
    assert ", one seed" in shown


SCORES = {"nll", "ece", "accuracy", "gain", "error", "loss", "error_barrier", "loss_barrier"}
SCORES |= {"kl", "disagreement", "accuracy_pool", "accuracy_ensemble"}


def diverge(root: Path, where: str) -> None:
    """Scores are NaN in the rows of every table that has tickets and where this holds."""
    for name in TABLES:
        path = root / "results" / f"{name}.parquet"
        frame = pq.read_table(path).to_pandas()
        scores = list(SCORES & set(frame.columns))
        frame["last"] = frame.get("ticket_b", frame.get("ticket", 0))
        frame.loc[frame.eval(where), scores] = float("nan")
        frame.drop(columns="last").to_parquet(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_run_that_diverged_does_not_break_the_report(seeds, tmp_path, monkeypatch):
    replace(SMALL, seeds=seeds).write(tmp_path)
    diverge(tmp_path, f"last == {SMALL.tickets - 1} and seed == 0")
    page, _ = draw(tmp_path, monkeypatch)
    assert set(page.figures) == ALWAYS | POOLED
    assert "nan" not in page.text.lower()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("where", ["variant == 'no-rewind'", "seed >= 0"])
@pytest.mark.usefixtures("drawn")
def test_what_diverged_altogether_has_no_effect_to_show(where, tmp_path, monkeypatch):
    replace(SMALL, methods=("interpolation", "swa")).write(tmp_path)
    diverge(tmp_path, where)
    page, _ = draw(tmp_path, monkeypatch)
    assert set(page.figures) >= ALWAYS
    assert "Rewinding's effect is not measured" in page.text
    assert "nan" not in page.text.lower()


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
    assert ("in other settings than this one" in page.text) is not published
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


def test_the_headline_is_of_the_first_main_method(whole):
    page, _ = whole
    gained = summary.gains(SMALL.frames()).query("method == 'interpolation'")
    for place in ("test", "corrupted"):
        mean = 100 * gained.query("place == @place")["gain"].mean()
        assert f"on {place} images: {mean:+.2f} points over the unpooled tickets" in page.text
    assert "paired Wilcoxon test over 8 pairs: p = 0.0078" in page.text
    assert "Rewinding's effect is visible" in page.text
    assert "p is optimistic" in page.text
