"""Stage `tables` on the rows files of a small experiment: it takes all that is listed, no more."""

import hashlib
import json
import re
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from lp_core.errors import InputError
from lp_core.tables import ORIGIN, TABLES
from tasks.kit import paths
from tasks.kit.rows import write_rows
from tasks.tables import main
from tests.tasks.reporting.made import Made

MADE = Made(tickets=3, methods=("swa", "candidates-2"), ood=("swa",), corruptions=("fog",))
CACHE = Path(".dvc", "cache", "files", "md5")
# The stage that writes a table's rows, and what it writes one file for.
STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "curves": ("imp", ("ticket",)),
    "tickets": ("ood", ("ticket",)),
    "pools": ("pool", ("method",)),
    "layers": ("pool", ("method",)),
    "heatmap": ("landscape", ()),
    "interpolation": ("landscape", ()),
    "barriers": ("landscape", ()),
    "disagreement": ("landscape", ()),
    "ensembles": ("ensemble", ("method",)),
}
# What the stage itself adds.
ADDED = {"tickets": "winning", "pools": "gain"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """params.yaml, and the rows files that the stages of this experiment leave."""
    root = tmp_path_factory.mktemp("finished")
    YAML(typ="safe").dump(MADE.params(), root / "params.yaml")
    for path, (head, tables) in files(MADE).items():
        write_rows(root / path, head, tables)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of its own for each test, as the working directory."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(made: Made) -> dict[Path, tuple[dict[str, Any], dict[str, list[Any]]]]:
    by_path: dict[Path, tuple[dict[str, Any], dict[str, list[Any]]]] = {}
    for table, head, row in rows_with_heads(made):
        item = head.get("method", head.get("ticket", "tickets"))
        path = paths.rows(head["stage"], head["variant"], head["seed"], item)
        by_path.setdefault(path, (head, {}))[1].setdefault(table, []).append(row)
    return by_path


def rows_with_heads(made: Made) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for table, rows in made.rows().items():
        for whole in rows:
            row = dict(whole)
            row.pop(ADDED.get(table, ""), None)
            run = {name: row.pop(name) for name in ("dataset", "model", "variant", "seed")}
            if table == "stages":
                continue
            if table == "curves":
                for ticket in range(made.tickets):
                    head = {"stage": "imp"} | run | {"ticket": ticket}
                    yield table, head, row | {"ticket": ticket}
                continue
            if table == "tickets":
                seconds = row.pop("train_seconds")
                if row["split"] == "test":
                    head = {"stage": "imp"} | run | {"ticket": row["ticket"]}
                    training = {"ticket": row["ticket"], "train_seconds": seconds}
                    yield "trainings", head, training
            stage, item = STAGES.get(table, ("ood_pool", ("method",)))
            if table == "ood" and row["method"] == "ticket":
                stage, item = "ood", ("ticket",)
            yield table, {"stage": stage} | run | {name: row[name] for name in item}, row


def table(name: str) -> pd.DataFrame:
    return pd.read_parquet(Path("results", f"{name}.parquet"))


def cache(path: Path) -> None:
    """Put a copy where DVC keeps its own."""
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    copy = CACHE / digest[:2] / digest[2:]
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(path.read_bytes())


@pytest.mark.usefixtures("root")
def test_every_row_is_in_its_table_with_the_run_of_its_files_head():
    main(Namespace())
    expected = MADE.frames()
    for name in set(STAGES) - {"curves"} | {"ood"}:
        keys = [c for c in expected[name] if expected[name][c].dtype != float]
        written, made = (
            f.sort_values(keys).reset_index(drop=True) for f in (table(name), expected[name])
        )
        added = [column for column in (ADDED.get(name), "run") if column]
        pd.testing.assert_frame_equal(
            written.drop(columns=added), made.drop(columns=added), check_dtype=False
        )
    assert Path("results", "summary.md").read_text().startswith("**digits, resnet8, variant base")
    found = json.loads(Path("results", "metrics.json").read_text())
    assert set(found) == {"base", "no-rewind", "predictors"}


@pytest.mark.usefixtures("root")
def test_winning_and_gain_are_over_the_same_seed_and_split():
    main(Namespace())
    tickets, pools = table("tickets"), table("pools")
    alone = tickets.set_index(["variant", "seed", "split", "ticket"])["accuracy"]
    for row in tickets.itertuples():
        assert row.winning == (row.accuracy >= alone[row.variant, row.seed, row.split, 0])
    for row in pools.itertuples():
        base = alone[row.variant, row.seed, row.split, row.ticket]
        assert row.gain == pytest.approx(row.accuracy - base)


@pytest.mark.usefixtures("root")
def test_what_is_no_longer_listed_is_in_no_table():
    main(Namespace())
    before = {name: table(name) for name in ("tickets", "pools", "ood", "curves")}
    larger = Made(
        variants=("base", "no-rewind", "third"),
        pooled=("base", "no-rewind"),
        seeds=(0, 1, 2),
        tickets=3,
        methods=("swa", "candidates-2", "ema"),
        ood=("swa", "candidates-2", "ema"),
        corruptions=("fog",),
        barriers=(0.0, 0.0, 0.0),
    )
    for path, (head, tables) in files(larger).items():
        if not path.exists():
            write_rows(path, head, tables)
    main(Namespace())
    for name, frame in before.items():
        pd.testing.assert_frame_equal(table(name), frame)


@pytest.mark.usefixtures("root")
def test_a_run_has_a_short_name_of_its_own_in_every_table():
    main(Namespace())
    first = {name: pq.read_schema(Path("results", f"{name}.parquet")) for name in TABLES}
    (run,) = {run for name in ("tickets", "pools", "ood", "curves") for run in table(name)["run"]}
    assert re.fullmatch("[0-9a-f]{8}", run)
    assert {json.loads(schema.metadata[ORIGIN])["run"] for schema in first.values()} == {run}
    main(Namespace())
    assert set(table("tickets")["run"]) == {run}, "the same params, commit and versions"
    YAML(typ="safe").dump(MADE.params() | {"rewind": {"epochs": 3}}, Path("params.yaml"))
    main(Namespace())
    both = set(table("tickets")["run"]) | {run}
    assert len(both) == 2


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("rows/imp/base/1/2.json", "table curves would lack variant base, seed 1, ticket 2; `dvc"),
        (
            "rows/ood/no-rewind/0/1.json",
            "table tickets would lack variant no-rewind, seed 0, ticket 1",
        ),
        ("rows/pool/base/0/swa.json", "seed 0, method swa, ticket 0"),
        (
            "rows/ood_pool/base/1/swa.json",
            "table ood would lack variant base, seed 1, method swa, ticket 0",
        ),
        (
            "rows/landscape/base/0/tickets.json",
            "table heatmap would lack variant base, seed 0, ticket 0",
        ),
        (
            "rows/ensemble/base/0/candidates-2.json",
            "table ensembles would lack variant base, seed 0, ticket 0",
        ),
    ],
)
def test_a_table_that_would_lack_rows_is_refused_with_what_is_missing(path, named):
    main(Namespace())
    before = table("tickets")
    Path(path).unlink()
    with pytest.raises(InputError, match=named) as error:
        main(Namespace())
    assert "dvc repro tables" in str(error.value)
    pd.testing.assert_frame_equal(table("tickets"), before)


@pytest.mark.usefixtures("root")
def test_pooled_tickets_of_a_round_that_is_no_longer_listed_are_refused():
    params = MADE.params()
    params["imp"]["rounds"].pop()
    YAML(typ="safe").dump(params, Path("params.yaml"))
    with pytest.raises(InputError, match=r"params\.yaml does not list, but table .* ticket 2;"):
        main(Namespace())


@pytest.mark.usefixtures("root")
def test_leftovers_go_if_dvc_can_restore_them_and_stay_if_not():
    for seed, kept in ((7, True), (8, False)):
        head = {"stage": "imp", "dataset": "digits", "model": "resnet8", "variant": "base"}
        path = paths.rows("imp", "base", seed, 0)
        write_rows(path, head | {"seed": seed, "ticket": 0}, {"curves": []})
        if kept:
            cache(path)
    for path in Path("rows", "ood").rglob("*.json"):
        cache(path)
    main(Namespace())
    assert not paths.rows("imp", "base", 7, 0).exists()
    assert paths.rows("imp", "base", 8, 0).exists()
    assert len(list(Path("rows").rglob("*.json"))) == len(files(MADE)) + 1


@pytest.mark.usefixtures("root")
def test_no_leftover_goes_before_the_tables_are_complete():
    head = {"stage": "imp", "dataset": "digits", "model": "resnet8", "variant": "base", "seed": 7}
    path = paths.rows("imp", "base", 7, 0)
    write_rows(path, head | {"ticket": 0}, {"curves": []})
    cache(path)
    paths.rows("imp", "base", 0, 0).unlink()
    with pytest.raises(InputError):
        main(Namespace())
    assert path.exists()


@pytest.mark.usefixtures("root")
def test_rows_of_an_unknown_table_are_refused_with_their_file():
    head = {"stage": "imp", "dataset": "digits", "model": "resnet8", "variant": "base", "seed": 0}
    write_rows(paths.rows("imp", "base", 0, 0), head | {"ticket": 0}, {"curvs": []})
    with pytest.raises(InputError, match=r"imp/base/0/0\.json: rows of \['curvs'\]"):
        main(Namespace())


@pytest.mark.usefixtures("root")
def test_rows_come_in_the_order_of_the_params():
    params = MADE.params()
    params["grid"].reverse()
    params["seeds"].reverse()
    params["pooling"]["methods"].reverse()
    YAML(typ="safe").dump(params, Path("params.yaml"))
    main(Namespace())
    tickets, pools = table("tickets"), table("pools")
    runs = tickets[["variant", "seed"]].drop_duplicates().to_numpy().tolist()
    assert runs == [["no-rewind", 1], ["no-rewind", 0], ["base", 1], ["base", 0]]
    assert list(dict.fromkeys(pools["method"])) == ["candidates-2", "swa"]
    assert list(dict.fromkeys(tickets["ticket"])) == [0, 1, 2]
