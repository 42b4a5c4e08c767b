"""A rerun computes what a change invalidated, and no more: the real DAG, through DVC and Prefect.

One experiment is run once; each test makes its change in a copy of it.
"""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tests.dag.project import ROOT, TINY, Project

TRAINING = [
    f"{stage}@{variant}-0{item}"
    for variant in ("base", "no-rewind")
    for stage, item in (("pretrain", ""), ("imp", "-round0"), ("imp", "-round1"))
]
LANDSCAPES = ["landscape@base-0", "landscape@no-rewind-0"]
POOLING = ["pool@base-0-interpolation", "pool@base-0-swa", "pool@base-0-greedy-soup"]
ENSEMBLE = ["ensemble@base-0"]
OOD = [f"ood@{variant}-0-round{k}" for variant in ("base", "no-rewind") for k in (0, 1)]
OOD_POOL = ["ood_pool@base-0-interpolation", "ood_pool@base-0-swa"]
RESULTS = ["tables", "report"]
AFTER_TRAINING = [*LANDSCAPES, *POOLING, *ENSEMBLE, *OOD, *OOD_POOL, *RESULTS]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("finished"))
    output = made.run("python", "-m", "flows.imp_pool", "--max-parallel", "2")
    ran = re.findall(r"Running stage '(.+?)'", output)
    first = ["params", "code", "dataset@digits", "corrupt@digits"]
    assert sorted(ran) == sorted([*first, *TRAINING, *AFTER_TRAINING])
    return made


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    return Project(tmp_path / "copy", like=finished)


def _table(project: Project, name: str) -> "pq.Table":
    return pq.read_table(project.root / "results" / f"{name}.parquet")


# What is there when everything has run ------------------------------------------------------------


def test_what_the_flow_has_computed_dvc_finds_done(finished: Project) -> None:
    assert finished.repro() == []
    assert "up to date" in finished.run("dvc", "status")


def test_the_flow_shows_every_stage_cached_when_nothing_has_changed(finished: Project) -> None:
    output = finished.run("python", "-m", "flows.imp_pool")
    for stage in [*TRAINING, *AFTER_TRAINING]:
        cached = [line for line in output.splitlines() if stage in line and "Cached" in line]
        assert cached, f"{stage} is not shown as Cached:\n{output}"


def test_every_table_has_its_schema_and_rows(finished: Project) -> None:
    for name, schema in TABLES.items():
        table = _table(finished, name)
        assert table.schema.equals(schema), name
        assert table.num_rows > 0, name
    ood = _table(finished, "ood").to_pandas()
    # (variants + methods) × tickets × corruptions × severities
    assert len(ood) == (2 + 2) * 2 * 2 * 2
    tickets = _table(finished, "tickets").to_pandas()
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


SNIPPETS = re.findall(
    r"```python\n(import pandas.*?)```", (ROOT / "docs" / "tables.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize("number", range(6))
def test_the_questions_in_the_docs_are_answered(finished: Project, number: int) -> None:
    answer = finished.run(sys.executable, "-W", "error", "-c", SNIPPETS[number])
    assert len(answer.splitlines()) > 2
    assert "Empty" not in answer


def test_the_docs_ask_no_question_that_is_not_tested() -> None:
    assert len(SNIPPETS) == 6


def test_dvc_shows_the_runs_metrics_and_plots(finished: Project) -> None:
    assert "base.test.gain_interpolation" in finished.run("dvc", "metrics", "show")
    finished.run("dvc", "plots", "show", "--quiet")
    page = (finished.root / "dvc_plots" / "index.html").read_text()
    for shown in ("Accuracy against density", "Training of each ticket", "results/figures/heatmap"):
        assert shown in page


# What a change of the code makes run again --------------------------------------------------------


def _comments_docstrings_and_blank_lines(project: Project) -> None:
    for folder in ("lp_core", "tasks"):
        for file in (project.root / folder).rglob("*.py"):
            text = file.read_text()
            text = re.sub(r'\A"""', '"""Reworded: ', text)
            file.write_text(f"{text}\n\n# an afterthought\n\n\n")


def _another_layout(project: Project) -> None:
    loop = project.root / "lp_core" / "training" / "loop.py"
    loop.write_text(re.sub(r"\n    ([a-z_]+) = ", r"\n    \1   =   ", loop.read_text()))


def _snow(project: Project) -> None:
    file = project.root / "lp_core" / "corruptions" / "weather.py"
    start, snow = file.read_text().split("def snow(")
    file.write_text(f"{start}def snow({snow.replace('0.95', '0.85', 1)}")


def _fog(project: Project) -> None:
    file = project.root / "lp_core" / "corruptions" / "weather.py"
    start, fog = file.read_text().split("def fog(")
    file.write_text(f"{start}def fog({fog.replace('2.5', '2.6', 1)}")


def _a_column_of_ood(project: Project) -> None:
    project.edit(
        "lp_core/tables.py",
        '"ood": {"method": _STRING}',
        '"ood": {"method": _STRING, "mark": _INT}',
    )
    project.edit(
        "tasks/kit/measures.py",
        '{"corruption": corruption,',
        '{"mark": 1, "corruption": corruption,',
    )


def _a_recipe_that_nobody_uses(project: Project) -> None:
    folder = project.root / "lp_core" / "pooling" / "recipes"
    shutil.copy(folder / "swa.py", folder / "swa_again.py")
    stub = folder / "__init__.pyi"
    stub.write_text(stub.read_text() + "from .swa_again import Swa as swa_again\n")


def _a_recipe_that_is_used(project: Project) -> None:
    _a_recipe_that_nobody_uses(project)
    pooling = TINY["pooling"]
    recipes = pooling["recipes"] | {"again": {"recipe": "swa-again"}}
    methods = [*pooling["methods"], "again"]
    project.params({"pooling": pooling | {"recipes": recipes, "methods": methods}})


def _a_model(project: Project) -> None:
    folder = project.root / "lp_core" / "models"
    (folder / "mine.py").write_text(
        "from lp_core.models.residual import resnet8\n\nresnet8_mine = resnet8\n"
    )
    stub = folder / "__init__.pyi"
    stub.write_text(stub.read_text() + "from .mine import resnet8_mine as resnet8_mine\n")


def _a_variant_with_that_model(project: Project) -> None:
    _a_model(project)
    variants = {"base": {}, "no-rewind": {"rewind": {"epochs": 0}}}
    project.params(
        {
            "variants": variants | {"mine": {"model": {"name": "resnet8_mine"}}},
            "grid": ["base", "no-rewind", "mine"],
        }
    )


def _a_stage(project: Project) -> None:
    (project.root / "tasks" / "greeting.py").write_text(
        "from pathlib import Path\n\nfrom tasks.kit.cli import run\n\n\n"
        "def main(_):\n    Path('greeting.txt').write_text('hello')\n\n\n"
        "if __name__ == '__main__':\n    run(main)\n"
    )
    with (project.root / "dvc.yaml").open("a") as file:
        file.write(
            "  greeting:\n    cmd: python -m tasks.greeting\n"
            "    deps: [code/greeting.json]\n    outs: [greeting.txt]\n"
        )


def _a_data_set(project: Project) -> None:
    digits = {"source": "digits", "watch": "constraints.txt"}
    project.params(
        {
            "datasets": {"digits": digits | {"val_fraction": 0.2}, "more": digits},
            "corrupt": TINY["corrupt"] | {"more": TINY["corrupt"]["digits"]},
        }
    )


def _the_loss(project: Project) -> None:
    project.edit(
        "lp_core/training/trainer.py",
        "cross_entropy(logits.float(), batch.labels)",
        "cross_entropy(logits.float(), batch.labels, label_smoothing=0.1)",
    )


def _the_figures(project: Project) -> None:
    project.edit("tasks/reporting/figures/style.py", "WIDTH = 9.6", "WIDTH = 9.5")


def _the_template(project: Project) -> None:
    template = project.root / "tasks" / "reporting" / "report.html.j2"
    template.write_text(template.read_text() + "<!-- more -->\n")


MINE = ["pretrain@mine-0", *(f"{s}@mine-0-round{k}" for s in ("imp", "ood") for k in (0, 1))]
NOTHING: list[str] = []
CODE: dict[Callable[[Project], None], list[str]] = {
    _comments_docstrings_and_blank_lines: NOTHING,
    _another_layout: NOTHING,
    _snow: ["corrupt@digits", *OOD, *OOD_POOL, *RESULTS],
    _fog: ["corrupt@digits"],  # made again from the same file, to the same bytes
    _a_column_of_ood: [*OOD, *OOD_POOL, *RESULTS],
    _a_recipe_that_nobody_uses: NOTHING,
    _a_recipe_that_is_used: ["params", "pool@base-0-again", *RESULTS],
    _a_model: NOTHING,
    _a_variant_with_that_model: ["params", *MINE, "landscape@mine-0", *RESULTS],
    _a_stage: ["greeting"],
    _a_data_set: ["params", "dataset@more", "corrupt@more"],
    _the_loss: [*TRAINING, *AFTER_TRAINING],
    _the_figures: ["report"],
    _the_template: ["report"],
}


@pytest.mark.parametrize("change", CODE, ids=lambda change: change.__name__.strip("_"))
def test_a_change_of_the_code_runs_exactly_what_it_can_change(
    project: Project, change: Callable[[Project], None]
) -> None:
    change(project)
    assert sorted(project.repro()) == sorted(["code", *CODE[change]])
    assert project.repro() == []


# What a change of the params makes run again ------------------------------------------------------


def _pooling(**changes: Any) -> dict[str, Any]:
    return {"pooling": TINY["pooling"] | changes}


def test_another_coefficient_pools_that_method_again(project: Project) -> None:
    search = {"recipe": "search", "coefficients": [0.3, 0.7]}
    project.params(_pooling(recipes=TINY["pooling"]["recipes"] | {"interpolation": search}))
    ran = project.repro()
    assert sorted(ran) == sorted(["params", "code", POOLING[0], OOD_POOL[0], *ENSEMBLE, *RESULTS])
    tried = _table(project, "pool_search").to_pandas().query("method == 'interpolation'")
    assert set(tried["coefficient"]) == {0.3, 0.7}


def test_another_ablation_is_one_more_stage(project: Project) -> None:
    old = _table(project, "pools").to_pandas()
    pooling = TINY["pooling"]
    recipes = pooling["recipes"] | {"half": {"recipe": "search", "coefficients": [0.5]}}
    project.params(_pooling(recipes=recipes, methods=[*pooling["methods"], "half"]))
    assert sorted(project.repro()) == sorted(["params", "code", "pool@base-0-half", *RESULTS])
    new = _table(project, "pools").to_pandas()
    assert set(new["method"]) == {*old["method"], "half"}
    assert new[new["method"] != "half"].reset_index(drop=True).equals(old)


LONGER = TINY["imp"] | {"rounds": [*TINY["imp"]["rounds"], {"ticket": 2, "parent": 1}]}


def test_another_round_trains_and_measures_that_round_alone(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in _tickets(project)}
    project.params({"imp": LONGER})
    round_2 = [f"{s}@{v}-0-round2" for s in ("imp", "ood") for v in ("base", "no-rewind")]
    others = [*LANDSCAPES, *POOLING, *ENSEMBLE, *OOD_POOL, *RESULTS]
    assert sorted(project.repro()) == sorted(["params", *round_2, *others])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert set(_table(project, "tickets").to_pandas()["ticket"]) == {0, 1, 2}

    # Taken away again, it leaves no rows in any table, and nothing to do in a clone that never had
    # it. The results of the two rounds come back from DVC's run cache.
    project.params({"imp": TINY["imp"]})
    ran = project.repro()
    assert not [name for name in ran if name.startswith(("pretrain", "imp@", "ood@"))]
    for name in ("tickets", "pools", "ood", "pool_search", "curves"):
        assert 2 not in set(_table(project, name).to_pandas()["ticket"]), name
    assert 2 not in set(_table(project, "pool_search").to_pandas()["candidate"])
    clone = Project(project.root.with_name("clone"), like=project)
    for file in (*clone.root.rglob("2.safetensors"), *clone.root.glob("rows/*/*/*/2.json")):
        file.unlink()
    assert clone.repro() == []

    # And put back, it is trained no second time.
    project.params({"imp": LONGER})
    assert not [name for name in project.repro() if name.startswith(("imp@", "ood@"))]
    assert set(_table(project, "tickets").to_pandas()["ticket"]) == {0, 1, 2}


def test_a_clone_that_pulls_has_nothing_to_do(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "remote"))
    project.run("dvc", "push", "-q")
    clone = Project(tmp_path / "clone", like=project)
    for name in ("code", "data", "tickets", "pools", "rows", "results", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(clone.root / name)
    clone.run("dvc", "pull", "-q")
    dry = clone.run("dvc", "repro", "--dry")
    assert "Running" not in dry
    assert clone.repro() == []


def test_a_fault_in_the_params_stops_everything_before_it_runs(project: Project) -> None:
    file = project.root / "params.yaml"
    file.write_text(file.read_text() + "trian: {epochs: 1}\n")
    output = project.run("dvc", "repro", check=False)
    assert "params.yaml: trian: unknown key" in output
    assert "Running stage 'imp" not in output
    flow = project.run("python", "-m", "flows.imp_pool", check=False)
    assert "params.yaml: trian: unknown key" in flow
    assert "Running stage 'imp" not in flow


@pytest.mark.parametrize("target", [[], ["pretrain@$(touch pwned)-0"], ["tables"]])
def test_a_name_in_a_foreign_params_file_runs_no_command(
    project: Project, target: list[str]
) -> None:
    name = "$(touch pwned)"
    project.params(
        {"grid": [name], "variants": {name: {}}, "pooling": _pooling(variants=[])["pooling"]}
    )
    project.run("dvc", "repro", *target, check=False)
    project.run("dvc", "repro", "--single-item", f"pretrain@{name}-0", check=False)
    project.run("python", "-m", "flows.imp_pool", check=False)
    assert not list(project.root.rglob("pwned"))


def _tickets(project: Project) -> list[Path]:
    return sorted((project.root / "tickets").rglob("*.safetensors"))
