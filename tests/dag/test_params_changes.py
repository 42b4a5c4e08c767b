"""A rerun computes what a change of the params invalidated, and no more: the real DAG."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.dag.project import MADE, TINY, Project
from tests.dag.stages import ENSEMBLE, LANDSCAPES, OOD_POOL, POOLING, RESULTS, SIBLING


def _pooling(**changes: Any) -> dict[str, Any]:
    return {"pooling": TINY["pooling"] | changes}


def test_another_coefficient_pools_that_method_again(project: Project) -> None:
    search = {"recipe": "search", "coefficients": [0.3, 0.7]}
    project.params(_pooling(recipes=TINY["pooling"]["recipes"] | {"interpolation": search}))
    ran = project.reruns()
    again = [POOLING[0], OOD_POOL[0], *ENSEMBLE, *SIBLING]
    assert sorted(ran) == sorted(["params", "code", *again, *RESULTS])
    tried = project.table("pool_search").query("method == 'interpolation'")
    assert set(tried["coefficient"]) == {0.3, 0.7}


def test_another_ablation_is_one_more_stage(project: Project) -> None:
    old = project.table("pools")
    pooling = TINY["pooling"]
    recipes = pooling["recipes"] | {"half": {"recipe": "search", "coefficients": [0.5]}}
    project.params(_pooling(recipes=recipes, methods=[*pooling["methods"], "half"]))
    assert sorted(project.reruns()) == sorted(["params", "code", "pool@base-0-half", *RESULTS])
    new = project.table("pools")
    assert set(new["method"]) == {*old["method"], "half"}
    kept = new[new["method"] != "half"].reset_index(drop=True)
    assert kept.drop(columns="run").equals(old.drop(columns="run"))


LONGER = TINY["imp"] | {"rounds": [*TINY["imp"]["rounds"], {"ticket": 2, "parent": 1}]}


def test_another_round_trains_and_measures_that_round_alone(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in _tickets(project)}
    project.params({"imp": LONGER})
    round_2 = [f"{s}@{v}-0-round2" for s in ("imp", "ood") for v in ("base", "no-rewind")]
    others = [*LANDSCAPES, *POOLING, *ENSEMBLE, *OOD_POOL, *SIBLING, *RESULTS]
    assert sorted(project.reruns()) == sorted(["params", *round_2, *others])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert set(project.table("tickets")["ticket"]) == {0, 1, 2}

    # Taken away again, it leaves no rows in any table, and nothing to do in a clone that never had
    # it. The results of the two rounds come back from DVC's run cache.
    project.params({"imp": TINY["imp"]})
    ran = project.reruns()
    assert not [name for name in ran if name.startswith(("pretrain", "imp@", "ood@"))]
    for name in ("tickets", "pools", "ood", "pool_search", "curves"):
        assert 2 not in set(project.table(name)["ticket"]), name
    assert 2 not in set(project.table("pool_search")["candidate"])
    clone = project.copy(project.root.with_name("clone"))
    for file in (*clone.root.rglob("2.safetensors"), *clone.root.glob("rows/*/*/*/2.json")):
        file.unlink()
    assert clone.stale() == []

    # And put back, it is trained no second time.
    project.params({"imp": LONGER})
    assert not [name for name in project.repro("tables") if name.startswith(("imp@", "ood@"))]
    assert set(project.table("tickets")["ticket"]) == {0, 1, 2}


def test_a_clone_that_pulls_has_nothing_to_do(project: Project, tmp_path: Path) -> None:
    project.dvc("remote", "add", "-q", "-d", "store", str(tmp_path / "remote"))
    project.dvc("push", "-q")
    clone = project.copy(tmp_path / "clone")
    for name in (*MADE, ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(clone.root / name, ignore_errors=True)
    clone.dvc("pull", "-q")
    assert clone.stale() == []


def test_a_fault_in_the_params_stops_everything_before_it_runs(project: Project) -> None:
    file = project.root / "params.yaml"
    file.write_text(file.read_text() + "trian: {epochs: 1}\n")
    output = project.dvc("repro", check=False)
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
        {
            "grid": [name],
            "variants": {name: {}},
            "pooling": _pooling(variants=[])["pooling"],
            "sup_tickets": TINY["sup_tickets"]
            | {key: [name] for key in ("variants", "methods", "endings", "corrupted")}
            | {"ablated": [], "siblings": TINY["sup_tickets"]["siblings"] | {"methods": []}}
            | {
                "training": {name: {"recipe": "dense"}},
                "ending": {name: {"tickets": 1, "cycle": 1}},
            },
        }
    )
    project.dvc("repro", *target, check=False)
    for stage in (f"pretrain@{name}-0", f"ending@{name}-0-{name}-{name}"):
        project.dvc("repro", "--single-item", stage, check=False)
    if not target:
        project.run("python", "-m", "flows.imp_pool", check=False)
    assert not list(project.root.rglob("pwned"))


def _tickets(project: Project) -> list[Path]:
    return sorted((project.root / "tickets").rglob("*.safetensors"))
