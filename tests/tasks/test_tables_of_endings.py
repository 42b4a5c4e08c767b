"""The stage `tables` on the rows of sparse trainings, beside those of imp-pool and without them."""

import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from lp_core.errors import InputError
from lp_core.tables import TABLES
from tasks.kit import paths
from tasks.kit.rows import Row, write_rows
from tasks.tables import main
from tests.tasks.reporting.made import Made
from tests.tasks.reporting.made_sup import MadeSup

SUP = MadeSup(
    methods=("dense", "rigl"), ablations=("caa", "search"), corruptions=("fog",), siblings=2
)
# Columns that the stage itself adds, from the trainings.
JOINED = ("train_flops", "train_fraction", "train_seconds")
PREFIX_SECONDS = 20.0


def files(variant: str, seed: int) -> dict[Path, tuple[Row, dict[str, list[Row]]]]:
    """The rows files of one variant and seed, by path: head and tables."""
    run = {"dataset": "digits", "model": "resnet8", "variant": variant, "seed": seed}
    found: dict[Path, tuple[Row, dict[str, list[Row]]]] = {}
    for stage, item, table, row in _placed(variant, seed):
        path = paths.rows(stage, variant, seed, *(value for value in item.values() if value))
        head = {"stage": stage} | run | item
        found.setdefault(path, (head, {}))[1].setdefault(table, []).append(row)
    return found


def _placed(variant: str, seed: int) -> Iterator[tuple[str, Row, str, Row]]:
    """Each row with its stage, what that is of, and its table."""
    for table, rows in SUP.rows(variant, seed).items():
        for row in rows:
            whose = {name: row.get(name) for name in ("method", "ending")}
            if table == "curves":
                yield "ending" if row["ending"] else "sparse", whose, table, row
            elif table == "sup_tickets":
                spent = {name: row.pop(name) for name in JOINED}
                yield "ending_scores", whose, table, row
                if row["split"] == "test":
                    spent["train_seconds"] -= PREFIX_SECONDS
                    yield "ending", whose, "trainings", whose | spent
            elif table == "layer_density" and row["ending"]:
                for ending in (*SUP.endings, *(SUP.ablations if row["method"] == "rigl" else ())):
                    other = {"ending": ending}
                    yield "ending_scores", whose | other, table, row | other
            elif table == "layer_density":
                yield "sparse", whose, table, row
            elif table == "cheap_tickets" or (table, row.get("kind")) == ("diversity", "cheap"):
                yield "ending_scores", whose, table, row
            elif table == "diversity" and row["kind"] == "seeds":
                yield "seeds_ensemble", whose, table, row
            elif table == "diversity":
                yield "efficient_ensemble", {"name": row["kind"]}, table, row
            elif table == "ood":
                yield "ood_ending", whose, table, row
            elif table == "siblings":
                yield "sibling", whose | {"pool": row["pool"]}, table, row
    for method in SUP.methods:
        whose = {"method": method, "ending": None}
        yield "sparse", whose, "trainings", whose | {"train_seconds": PREFIX_SECONDS}


def params(**changes: Any) -> dict[str, Any]:
    """Of an experiment without imp-pool."""
    values = Made(tickets=2, pooled=(), variants=(), ood=(), sup=SUP).params()
    values["sup_tickets"] |= changes
    return values


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    YAML(typ="safe").dump(params(), root / "params.yaml")
    for seed in SUP.seeds:
        for path, (head, tables) in files("base", seed).items():
            write_rows(root / path, head, tables)
    return root


@pytest.fixture(autouse=True)
def root(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def table(name: str) -> pd.DataFrame:
    return pd.read_parquet(Path("results", f"{name}.parquet"))


def test_an_experiment_of_sparse_trainings_alone_has_all_tables():
    main(Namespace())
    made = SUP.rows("base", 0)
    for name in ("sup_tickets", "cheap_tickets", "diversity", "siblings", "ood", "curves"):
        mine = table(name).query("seed == 0")
        assert len(mine) == len(made[name]), name
    assert table("sup_tickets")["train_seconds"].unique().tolist() == [60.0]
    spent = [row["train_fraction"] for row in made["sup_tickets"]]
    assert sorted(table("sup_tickets").query("seed == 0")["train_fraction"]) == sorted(spent)
    for name in ("tickets", "pools", "heatmap", "ensembles"):
        assert len(table(name)) == 0
        assert list(table(name).columns) == TABLES[name].names


def test_rows_come_in_the_order_of_the_params():
    values = params(methods=["rigl", "dense"], endings=["cia", "plain"])
    YAML(typ="safe").dump(values, Path("params.yaml"))
    main(Namespace())
    found = table("sup_tickets").query("seed == 0 and split == 'test'")
    assert found[["method", "ending"]].to_numpy().tolist() == [
        *(["rigl", ending] for ending in ("cia", "plain", "caa", "search")),
        *(["dense", ending] for ending in ("cia", "plain")),
    ]


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"ablations": ["caa"]}, ("sup_tickets", lambda f: f["ending"] == "search")),
        ({"ablated": []}, ("sup_tickets", lambda f: f["ending"].isin(["caa", "search"]))),
        ({"corrupted": ["plain"]}, ("ood", lambda f: f["ending"] == "cia")),
        ({"ensembles": []}, ("diversity", lambda f: f["kind"] == "seeds")),
        ({"efficient_ensembles": []}, ("diversity", lambda f: f["kind"] == "tree-net")),
        (
            {"siblings": {"methods": [], "ending": "cia", "pool": "interpolation"}},
            ("siblings", lambda f: f["method"] == "rigl"),
        ),
    ],
)
def test_what_is_no_longer_listed_is_in_no_table(
    changes: dict[str, Any], gone: tuple[str, Callable[[pd.DataFrame], Any]]
):
    main(Namespace())
    name, of_it = gone
    assert of_it(table(name)).any()
    YAML(typ="safe").dump(params(**changes), Path("params.yaml"))
    main(Namespace())
    assert not of_it(table(name)).any()


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (
            "rows/sparse/base/1/rigl.json",
            "table curves would lack variant base, seed 1, method rigl;",
        ),
        (
            "rows/ending_scores/base/0/rigl/search.json",
            "table sup_tickets would lack variant base, seed 0, method rigl, ending search;",
        ),
        (
            "rows/ood_ending/base/0/dense/cia.json",
            "table ood would lack variant base, seed 0, method dense, ending cia;",
        ),
        (
            "rows/sibling/base/1/rigl/cia/interpolation.json",
            "table siblings would lack variant base, seed 1, method rigl, ending cia;",
        ),
        (
            "rows/seeds_ensemble/base/1/dense/plain.json",
            "table diversity would lack variant base, seed 1, method dense, ending plain, kind see",
        ),
        (
            "rows/efficient_ensemble/base/1/tree-net.json",
            "table diversity would lack variant base, seed 1, kind tree-net;",
        ),
    ],
)
def test_a_table_that_would_lack_rows_is_refused_with_what_is_missing(path, named):
    Path(path).unlink()
    with pytest.raises(InputError, match=named):
        main(Namespace())
    assert not Path("results").exists()


def test_one_seed_makes_no_ensemble_and_lacks_nothing():
    values = params()
    values["seeds"] = [0]
    YAML(typ="safe").dump(values, Path("params.yaml"))
    for path in Path("rows/seeds_ensemble").rglob("*.json"):
        path.unlink()
    main(Namespace())
    assert set(table("diversity")["kind"]) == {"cheap", "tree-net", "batch-ensemble"}
