"""What the real DAG leaves when everything has run: through the flow, and found done by DVC."""

import re
import sys

import pyarrow.parquet as pq
import pytest

from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tests.dag import sgd_noise
from tests.dag.project import ROOT, Project
from tests.dag.stages import ALL


def test_what_the_flow_has_computed_dvc_finds_done(finished: Project) -> None:
    assert finished.repro() == []
    assert "up to date" in finished.run("dvc", "status")


def test_the_flow_shows_every_stage_cached_when_nothing_has_changed(finished: Project) -> None:
    output = finished.run("python", "-m", "flows.sup_tickets")  # and made by the other
    assert f"{len(ALL)} stages: {len(ALL)} Cached" in output


def test_every_table_has_its_schema_and_rows(finished: Project) -> None:
    for name, schema in TABLES.items():
        table = pq.read_table(finished.root / "results" / f"{name}.parquet")
        assert table.schema.equals(schema), name
        assert (table.num_rows > 0) != (name in sgd_noise.TABLES), name
    ood = finished.table("ood").query("ending.isna()")
    # (variants + methods) × tickets × corruptions × severities
    assert len(ood) == (2 + 2) * 2 * 2 * 2
    tickets = finished.table("tickets")
    assert set(tickets["split"]) == {"val", "test"}
    assert tickets.query("ticket == 1")["density"].iloc[0] == pytest.approx(0.8, abs=1e-4)
    assert (finished.root / "results" / "figures" / "accuracy-base.svg").stat().st_size > 10_000


def test_pooled_tickets_keep_their_targets_density_and_lineage(finished: Project) -> None:
    for number in (0, 1):
        target = Ticket.load(finished.root / f"tickets/base/0/{number}.safetensors")
        for method in ("interpolation", "swa"):
            pooled = Ticket.load(finished.root / f"pools/base/0/{method}/{number}.safetensors")
            assert pooled.kept == target.kept
            assert pooled.meta["ticket"] == number
            assert pooled.meta["method"] == method


def test_whatever_a_run_leaves_can_be_exported_and_nothing_runs_again(finished: Project) -> None:
    folders = ("tickets", "pools", "endings")
    finished.run("python", "-m", "tasks.export", *folders, "--to", "safetensors")
    exports = finished.root / "exports"
    made = {path.relative_to(exports) for path in exports.rglob("*.safetensors")}
    listed = {
        path.relative_to(finished.root)
        for folder in folders
        for path in (finished.root / folder).rglob("*.safetensors")
    }
    assert made == {path for path in listed if path.stem != "rewind"}
    for table, where, card in (
        ("pools", "method == 'swa' and ticket == 1", "pools/base/0/swa/1"),
        ("tickets", "variant == 'no-rewind' and ticket == 0", "tickets/no-rewind/0/0"),
        ("sup_tickets", "method == 'rigl' and ending == 'cia'", "endings/base/rigl/cia/0/ticket"),
        ("ood", "method == 'swa' and ticket == 1", "pools/base/0/swa/1"),
    ):
        text = (exports / f"{card}.safetensors.md").read_text()
        rows = finished.table(table).query(where)
        if table == "ood":
            assert f"corruptions: 2, severities: 2) | {rows['accuracy'].mean():.2%} |" in text
            continue
        for split, name in (("val", "held-out images"), ("test", "test images")):
            [accuracy] = rows.query(f"split == '{split}'")["accuracy"]
            assert f"| {name} | {accuracy:.2%} |" in text
    assert "up to date" in finished.run("dvc", "status")


# Those about sparse trainings are test_docs' matter.
QUESTIONS = (ROOT / "docs" / "tables.md").read_text().split("## Three more", 1)[0]
SNIPPETS = re.findall(r"```python\n(.*?)```", QUESTIONS, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_the_questions_in_the_docs_are_answered(finished: Project, number: int) -> None:
    answer = finished.run(sys.executable, "-W", "error", "-c", SNIPPETS[number])
    assert len(answer.splitlines()) > 2
    assert "Empty" not in answer


def test_dvc_shows_the_runs_metrics_and_plots(finished: Project) -> None:
    assert "base.test.gain_interpolation" in finished.run("dvc", "metrics", "show")
    finished.run("dvc", "plots", "show", "--quiet")
    page = (finished.root / "dvc_plots" / "index.html").read_text()
    for shown in ("Accuracy against density", "Training of each ticket", "results/figures/heatmap"):
        assert shown in page
