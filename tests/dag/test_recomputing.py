"""A rerun computes what a change invalidated, and no more: the real DAG, through DVC and Prefect.

One experiment is run once, and each test makes one change on top of the last.
"""

import re
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tests.closure import ROOT
from tests.dag.project import TINY, Project

TRAINING = [
    f"{stage}@{variant}-0{of}"
    for variant in ("base", "no-rewind")
    for stage, of in (("pretrain", ""), ("imp", "-round0"), ("imp", "-round1"))
]
LANDSCAPES = ["landscape@base-0", "landscape@no-rewind-0"]
POOLING = ["pool@base-0-interpolation", "pool@base-0-swa", "pool@base-0-greedy-soup"]
ENSEMBLE = ["ensemble@base-0"]
OOD = ["ood@base-0", "ood_pool@base-0-interpolation", "ood_pool@base-0-swa"]
RESULTS = ["tables", "report"]
# Other coefficients than in params.yaml.
METHODS = {
    "interpolation": {"recipe": "search", "coefficients": [0.3, 0.7]},
    "swa": {"recipe": "swa"},
    "greedy-soup": {"recipe": "greedy-soup"},
}
AFTER = [*LANDSCAPES, *POOLING, *ENSEMBLE, *OOD, *RESULTS]  # the training


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    ran = made.repro()
    assert sorted(ran) == sorted(["params", "dataset@digits", "corrupt@digits", *TRAINING, *AFTER])
    return made


def _table(project: Project, name: str) -> "pq.Table":
    return pq.read_table(project.root / "results" / f"{name}.parquet")


def test_every_table_has_its_schema_and_rows(project: Project) -> None:
    for name, schema in TABLES.items():
        table = _table(project, name)
        assert table.schema.equals(schema), name
        assert table.num_rows > 0, name
    ood = _table(project, "ood").to_pandas()
    assert len(ood) == 3 * 2 * 2 * 2  # methods × tickets × corruptions × severities
    tickets = _table(project, "tickets").to_pandas()
    assert set(tickets["split"]) == {"val", "test"}
    assert tickets.query("ticket == 1")["density"].iloc[0] == pytest.approx(0.8, abs=1e-4)
    assert (project.root / "results" / "figures" / "accuracy-base.svg").stat().st_size > 10_000


def test_pooled_tickets_keep_their_targets_density_and_lineage(project: Project) -> None:
    for number in (0, 1):
        target = Ticket.load(project.root / f"tickets/base/0/{number}.safetensors")
        for method in ("interpolation", "swa"):
            pooled = Ticket.load(project.root / f"pools/base/0/{method}/{number}.safetensors")
            assert pooled.kept == target.kept
            assert pooled.meta["ticket"] == number
            assert pooled.meta["method"] == method


SNIPPETS = re.findall(
    r"```python\n(import pandas.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize("number", range(6))
def test_the_readmes_questions_are_answered(project: Project, number: int) -> None:
    answer = project.run(sys.executable, "-W", "error", "-c", SNIPPETS[number])
    assert len(answer.splitlines()) > 2
    assert "Empty" not in answer


def test_the_readme_asks_no_question_that_is_not_tested() -> None:
    assert len(SNIPPETS) == 6


def test_dvc_shows_the_runs_metrics_and_plots(project: Project) -> None:
    assert "base.test.gain_interpolation" in project.run("dvc", "metrics", "show")
    project.run("dvc", "plots", "show", "--quiet")
    page = (project.root / "dvc_plots" / "index.html").read_text()
    for shown in ("Accuracy against density", "Training of each ticket", "results/figures/heatmap"):
        assert shown in page


def test_nothing_changed_runs_nothing(project: Project) -> None:
    assert project.repro() == []


def test_the_flow_shows_every_stage_cached_after_dvc_repro(project: Project) -> None:
    output = project.run("python", "-m", "flows.imp_pool")
    for stage in [*TRAINING, *AFTER]:
        cached = [line for line in output.splitlines() if stage in line and "Cached" in line]
        assert cached, f"{stage} is not shown as Cached:\n{output}"


def test_another_round_trains_that_round_alone(project: Project) -> None:
    before = {p: p.stat().st_mtime_ns for p in _tickets(project)}
    rounds = [*TINY["imp"]["rounds"], {"ticket": 2, "parent": 1}]
    project.params({"imp": {**TINY["imp"], "rounds": rounds}})
    ran = project.repro()
    trained = ["imp@base-0-round2", "imp@no-rewind-0-round2"]
    assert sorted(n for n in ran if n.startswith(("pretrain", "imp"))) == trained
    assert sorted(ran) == sorted(["params", *trained, *AFTER])
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert set(_table(project, "tickets").to_pandas()["ticket"]) == {0, 1, 2}


def test_a_round_taken_away_leaves_no_rows_behind(project: Project) -> None:
    project.params({"imp": TINY["imp"]})
    ran = project.repro()
    assert not [name for name in ran if name.startswith(("pretrain", "imp@"))]
    for name in ("tickets", "pools", "ood", "pool_search", "curves"):
        frame = _table(project, name).to_pandas()
        assert 2 not in set(frame["ticket"]), name
    assert 2 not in set(_table(project, "pool_search").to_pandas()["candidate"])


def test_another_coefficient_retrains_nothing(project: Project) -> None:
    project.params({"methods": METHODS})
    ran = project.repro()
    allowed = {"params", POOLING[0], "ood_pool@base-0-interpolation", *ENSEMBLE, *RESULTS}
    assert POOLING[0] in ran
    assert set(ran) <= allowed
    assert set(
        _table(project, "pool_search").to_pandas().query("method == 'interpolation'")["coefficient"]
    ) == {0.3, 0.7}


def test_another_ablation_is_one_more_stage(project: Project) -> None:
    old = _table(project, "pools").to_pandas()
    ablation = {"coefficients-3": {"recipe": "search", "coefficients": [0.05, 0.5, 0.95]}}
    project.params({"methods": METHODS | ablation, "pools": [*TINY["pools"], *ablation]})
    assert sorted(project.repro()) == sorted(["params", "pool@base-0-coefficients-3", *RESULTS])
    new = _table(project, "pools").to_pandas()
    assert set(new["method"]) == {*old["method"], "coefficients-3"}
    kept = new[new["method"] != "coefficients-3"].reset_index(drop=True)
    assert kept.equals(old)


def test_an_edit_to_the_corruptions_reruns_them_and_what_is_evaluated_on_them(
    project: Project,
) -> None:
    old = _table(project, "ood").to_pandas()
    project.edit("lp_core/data/corruptions/noise.py", "0.04", "0.05")
    ran = project.repro()
    assert sorted(ran) == sorted(["params", "corrupt@digits", *OOD, *RESULTS]) or sorted(
        ran
    ) == sorted(["corrupt@digits", *OOD, *RESULTS])
    new = _table(project, "ood").to_pandas()
    changed = old.merge(new, on=["method", "ticket", "corruption", "severity"])
    same = changed.query("corruption == 'contrast'")
    assert (same["accuracy_x"] == same["accuracy_y"]).all()
    assert (changed["nll_x"] != changed["nll_y"]).any()


def test_a_change_to_the_training_loop_reruns_all_of_it(project: Project) -> None:
    project.edit(
        "lp_core/training/loop.py",
        "cross_entropy(logits.float(), labels)",
        "cross_entropy(logits.float(), labels, label_smoothing=0.1)",
    )
    ran = project.run("python", "-m", "flows.imp_pool", "--max-parallel", "2")
    assert project.repro() == []  # what the flow has computed, dvc finds done
    for stage in [*TRAINING, *AFTER]:
        assert f"Running stage '{stage}'" in ran, stage
    for stage in ("dataset@digits", "corrupt@digits"):
        assert f"Running stage '{stage}'" not in ran, stage


def test_a_fault_in_the_params_stops_everything_before_it_runs(project: Project) -> None:
    text = (project.root / "params.yaml").read_text()
    (project.root / "params.yaml").write_text(text + "trian: {epochs: 1}\n")
    output = project.run("dvc", "repro", check=False)
    assert "params.yaml: trian: unknown key" in output
    assert "Running stage 'imp" not in output
    flow = project.run("python", "-m", "flows.imp_pool", check=False)
    assert "trian" in flow
    assert "Running stage" not in flow
    (project.root / "params.yaml").write_text(text)


def _tickets(project: Project) -> list[Path]:
    return sorted((project.root / "tickets").rglob("*.safetensors"))
