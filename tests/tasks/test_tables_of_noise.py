"""The stage `tables` on rows files of SGD noise: exactly what params.yaml lists, and all of it."""

import json
import shutil
from argparse import Namespace
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from lp_core.errors import InputError
from lp_core.tables import TABLES
from tasks.kit import paths, resume
from tasks.kit.rows import Row, write_rows
from tasks.tables import main
from tests.tasks.reporting.made import Made
from tests.tasks.test_tables_stage import files

SEEDS, NOISE = [0, 1], [1, 2, 3]
MADE = Made(
    variants=("base",),
    tickets=3,
    methods=("swa", "candidates-2"),
    ood=("swa",),
    corruptions=("fog",),
)
SECTION: dict[str, Any] = {
    "variants": ["base"],
    "noise": NOISE,
    "starts": ["rewind", 2],
    "subsets": {"variants": ["base"], "removed": ["easiest-30", "hardest-30"]},
    "crossed": [{"masks": "base", "training": "other"}],
    "crossed_tickets": [1, 2],
    "transfer": {"tickets": [1], "targets": ["mnist", "cifar10"]},
    "few_shot": {
        "tickets": [0, 2],
        "networks": ["ticket", "permuted"],
        "percent": [1, 10],
        "selections": ["most-forgotten"],
    },
    "stable_rewind": {"variants": ["base"], "steps": [{"step": 1, "after": "start"}]},
}
NAMES = (
    *("forks", "fork_curves", "instability", "instability_paths", "crossed", "probes"),
    *("transfer", "few_shot", "stable_rewind", "rewind_probes"),
)
SPLITS = ("val", "test")


def params(**changes: Any) -> dict[str, Any]:
    values = MADE.params()
    values["sgd_noise"] |= SECTION | changes
    values["sgd_noise"]["probes"] |= {"tickets": [0, 2]}
    values["variants"]["other"] = {}
    return values


def made_row(table: str, **known: Any) -> Row:
    """A row of a table with nothing but zeros where nothing is known."""
    zeros = {pa.string(): "0", pa.int64(): 0, pa.float64(): 0.0, pa.bool_(): True}
    names = [n for n in TABLES[table].names if n not in ("dataset", "model", "variant", "seed")]
    row = {name: zeros[TABLES[table].field(name).type] for name in names if name != "run"}
    return row | {name: value for name, value in known.items() if name in names}


def noise_files(seed: int) -> Iterator[tuple[Path, Row, dict[str, list[Row]]]]:
    """What the stages leave of a seed: path, what the head names, tables."""
    starts: list[tuple[str, str | None]] = [("rewind", None), ("2", None)]
    for start, removed in [*starts, ("rewind", "easiest-30"), ("rewind", "hardest-30")]:
        whose = {"start": start, "removed": removed}
        part = "subset_" if removed else ""
        for noise in NOISE:
            fork = whose | {"noise": noise}
            tables = {
                "fork_curves": [made_row("fork_curves", **fork)],
                "trainings": [fork | {"train_seconds": 10.0 * seed + noise}],
            }
            yield paths.rows(f"{part}fork", "base", seed, removed or start, noise), fork, tables
        forks = [made_row("forks", **whose, noise=n, split=s) for n, s in product(NOISE, SPLITS)]
        for row in forks:
            row.pop("train_seconds")
        pairs = [
            {"noise_a": a, "noise_b": b, "split": s}
            for (a, b), s in product(combinations(NOISE, 2), SPLITS)
        ]
        of_pairs = {
            name: [made_row(name, **whose, **pair) for pair in pairs]
            for name in ("instability", "instability_paths")
        }
        path = paths.rows(f"{part}instability", "base", seed, removed or start)
        yield path, whose, {"forks": forks} | of_pairs
    for stage, table, item in _tickets():
        rows = [made_row(table, **item, split=split) for split in SPLITS]
        yield paths.rows(stage, "base", seed, *item.values()), item, {table: rows}
    search = {name: [made_row(name)] for name in ("stable_rewind", "rewind_probes")}
    yield paths.rows("stable_rewind", "base", seed, "search"), {}, search


def _tickets() -> Iterator[tuple[str, str, Row]]:
    for ticket in (1, 2):
        yield "cross", "crossed", {"training": "other", "ticket": ticket}
    for ticket in (0, 2):
        yield "probe", "probes", {"ticket": ticket}
        for network, percent in product(("ticket", "permuted"), (1, 10)):
            for selection in ("random", "most-forgotten"):
                item = {"ticket": ticket, "network": network, "percent": percent}
                yield "few_shot", "few_shot", item | {"selection": selection}
    for target in ("mnist", "cifar10"):
        yield "transfer", "transfer", {"ticket": 1, "target": target}


def stage_of(path: Path) -> str:
    return path.parts[1]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    YAML(typ="safe").dump(params(), root / "params.yaml")
    for path, (head, tables) in files(MADE).items():
        write_rows(root / path, head, tables)
    run = {"dataset": "digits", "model": "resnet8", "variant": "base"}
    for seed in SEEDS:
        for path, item, tables in noise_files(seed):
            head = {"stage": stage_of(path)} | run | {"seed": seed} | item
            write_rows(root / path, head, tables)
    return root


@pytest.fixture(autouse=True)
def root(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def table(name: str) -> pd.DataFrame:
    return pd.read_parquet(Path("results", f"{name}.parquet"))


def test_every_table_has_the_rows_of_what_is_listed():
    main(Namespace())
    expected: dict[str, int] = dict.fromkeys(NAMES, 0)
    for seed in SEEDS:
        for _, _, tables in noise_files(seed):
            for name in set(tables) & set(NAMES):
                expected[name] += len(tables[name])
    assert {name: len(table(name)) for name in NAMES} == expected
    assert all(expected.values())


def test_a_forks_row_has_the_wall_time_of_its_own_training():
    main(Namespace())
    forks = table("forks")
    assert (forks["train_seconds"] == 10.0 * forks["seed"] + forks["noise"]).all()


def test_states_of_trainings_go_whose_rows_are_in_the_tables():
    listed = [
        "cross@base-other-1-2",
        "few_shot@base-0-2-permuted-10-random",
        "few_shot_forgotten@base-1-0-ticket-1-most-forgotten",
    ]
    others = ["few_shot@base-0-2-permuted-20-random", "cross@other-base-1-2", "imp@base-0-round1"]
    paths.RESUME.mkdir()
    states = [resume.state(name, "key") for name in (*listed, *others)]
    for state in states:
        state.touch()
        resume.finish(state)
    main(Namespace())
    assert set(paths.RESUME.glob("*.safetensors")) == set(states[len(listed) :])


def test_rows_come_in_the_order_of_the_params():
    values = params(starts=[2, "rewind"])
    values["sgd_noise"]["few_shot"]["percent"].reverse()
    YAML(typ="safe").dump(values, Path("params.yaml"))
    main(Namespace())
    curves = table("fork_curves").query("seed == 0 and removed.isna()")
    assert curves[["start", "noise"]].to_numpy().tolist() == [
        [start, noise] for start in ("2", "rewind") for noise in NOISE
    ]
    assert list(dict.fromkeys(table("few_shot")["percent"])) == [10, 1]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"variants": [], "crossed": []}, NAMES[:6]),
        ({"starts": ["rewind"]}, ("forks", "fork_curves", "instability", "instability_paths")),
        ({"crossed_tickets": [2]}, ("crossed",)),
        ({"transfer": {"tickets": [1], "targets": ["mnist"]}}, ("transfer",)),
        ({"subsets": {"variants": ["base"], "removed": []}}, ("forks", "instability")),
        ({"stable_rewind": {"variants": [], "steps": []}}, ("stable_rewind", "rewind_probes")),
        ({"few_shot": SECTION["few_shot"] | {"selections": []}}, ("few_shot",)),
        ({"few_shot": SECTION["few_shot"] | {"percent": [1]}}, ("few_shot",)),
    ],
)
def test_what_is_no_longer_listed_is_in_no_table(changes, names):
    main(Namespace())
    before = {name: len(table(name)) for name in names}
    YAML(typ="safe").dump(params(**changes), Path("params.yaml"))
    main(Namespace())
    for name in names:
        assert len(table(name)) < before[name], name


FILES = {stage_of(path): path for path, _, _ in noise_files(1)}


@pytest.mark.parametrize(
    ("stage", "named"),
    [
        ("fork", "table fork_curves would lack variant base, seed 1, start 2, noise 3;"),
        ("instability", "table forks would lack variant base, seed 1, start 2, noise 1;"),
        ("subset_fork", "table fork_curves would lack .* removed hardest-30, noise 3;"),
        ("subset_instability", "table forks would lack .* removed hardest-30, noise 1;"),
        ("cross", "table crossed would lack variant base, seed 1, training other, ticket 2;"),
        ("probe", "table probes would lack variant base, seed 1, ticket 2;"),
        ("transfer", "table transfer would lack variant base, seed 1, ticket 1, target cifar10;"),
        ("few_shot", "table few_shot would lack .* permuted, percent 10, selection most-forg"),
        ("stable_rewind", "table stable_rewind would lack variant base, seed 1;"),
    ],
)
def test_a_table_that_would_lack_rows_is_refused_with_what_is_missing(stage, named):
    FILES[stage].unlink()
    with pytest.raises(InputError, match=named):
        main(Namespace())
    assert not Path("results").exists()


def test_lines_of_a_noise_seed_that_is_no_longer_listed_are_refused():
    """They are of one file with the others: the stage that wrote it has to run again."""
    YAML(typ="safe").dump(params(noise=[1, 2]), Path("params.yaml"))
    with pytest.raises(InputError, match=r"not list, but table forks would have .* noise 3;"):
        main(Namespace())


def test_a_pair_of_forks_that_is_not_there_is_missed():
    path = paths.rows("instability", "base", 0, "rewind")
    content = json.loads(path.read_text())
    rows = [r for r in content["tables"]["instability"] if (r["noise_a"], r["noise_b"]) != (1, 3)]
    write_rows(path, content["head"], content["tables"] | {"instability": rows})
    with pytest.raises(InputError, match=r"instability would lack .* noise_a 1, noise_b 3"):
        main(Namespace())
