"""The stages that measure what a sparse training came to."""

import math
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.analysis.flops import flops
from lp_core.data.store import Split
from lp_core.errors import DamagedError
from lp_core.tables import TABLES
from tasks import ood_ending, seeds_ensemble, tables
from tasks.kit import corrupted, paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params
from tasks.kit.rows import Row, read_rows
from tests.lp_core.tiny import residual_network
from tests.tasks.tiny_sparse import (
    ENDINGS,
    EPOCHS,
    begin,
    dataset,
    end,
    ended,
    make_experiment,
    scored,
)

RUN = {"dataset", "model", "variant", "seed", "run"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods and two seeds with some of their endings."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        make_experiment(folder, patch)
        for method, seed in (("rigl", 0), ("dense", 0), ("dense", 1)):
            begin(method, seed)
            for name in (
                ("plain", "cia", "re-estimated", "search") if method == "rigl" else ["plain"]
            ):
                end(method, name, seed)
    return folder


@pytest.fixture(autouse=True)
def root(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of its own for each test: links but for what a test may change."""
    for name in ("endings", "params.yaml"):
        (tmp_path / name).symlink_to(trained / name)
    monkeypatch.chdir(tmp_path)
    data = paths.dataset("noise")
    data.parent.mkdir()
    data.symlink_to(trained / data)


def _columns(table: str) -> set[str]:
    joined = {"train_flops", "train_fraction", "train_seconds"} if table == "sup_tickets" else set()
    return set(TABLES[table].names) - RUN - joined


@pytest.mark.parametrize("name", ["plain", "cia", "re-estimated", "search"])
def test_each_table_gets_rows_of_its_columns(name):
    found = scored("rigl", name)
    for table in ("sup_tickets", "cheap_tickets", "diversity", "layer_density"):
        assert all(set(row) == _columns(table) for row in found[table]), table
    count = ENDINGS[name]["tickets"]
    assert [row["split"] for row in found["sup_tickets"]] == ["val", "test"]
    assert [row["cheap"] for row in found["cheap_tickets"]] == [
        number for number in range(1, count + 1) for _ in ("val", "test")
    ]
    assert len(found["diversity"]) == count * (count - 1)
    for row in found["sup_tickets"]:
        assert row["sup"] == (name != "plain")
        assert row["tickets"] == count
        assert row["cycle"] == (1 if count else None)
        average = ENDINGS[name].get("average", "cia")
        assert row["average"] == (average if count else None)


@pytest.mark.parametrize("name", ["cia", "re-estimated"])
def test_the_last_running_average_is_the_ticket(name):
    found = scored("rigl", name)
    last = found["cheap_tickets"][-2:]
    assert [row["average_accuracy"] for row in last] == [
        row["accuracy"] for row in found["sup_tickets"]
    ]
    first = found["cheap_tickets"][:2]
    if name == "cia":
        assert [row["average_accuracy"] for row in first] == [row["accuracy"] for row in first]


def test_a_search_has_no_running_average():
    assert {row["average_accuracy"] for row in scored("rigl", "search")["cheap_tickets"]} == {None}


def test_scores_and_costs_are_those_of_the_ticket():
    found, ticket = scored("rigl", "cia"), ended("rigl", "cia")
    bench, network = Bench(Params("base")), residual_network()
    for row in found["sup_tickets"]:
        scores = bench.scores(ticket, row["split"])
        assert (row["accuracy"], row["nll"], row["ece"]) == (
            scores.accuracy,
            scores.nll,
            scores.ece,
        )
        assert row["test_flops"] == flops(network, (3, 8, 8), ticket.mask)
        assert row["test_fraction"] == row["test_flops"] / flops(network, (3, 8, 8))
        assert (row["density"], row["digest"]) == (ticket.density, ticket.digest)
    kept = {name: mask.double().mean().item() for name, mask in ticket.mask.items()}
    assert {row["layer"]: row["density"] for row in found["layer_density"]} == kept
    assert {row["epoch"] for row in found["layer_density"]} == {EPOCHS}


def test_another_test_split_changes_test_rows_alone():
    data = dataset()
    before = scored("rigl", "cia")
    pixels = torch.randint(0, 256, data.split("test").images.shape, dtype=torch.uint8)
    test = Split(pixels, data.labels("test"))
    paths.dataset("noise").unlink()
    replace(data, parts={**data.parts, "test": test}).save(paths.dataset("noise"))
    after = scored("rigl", "cia")
    for table in ("sup_tickets", "cheap_tickets"):
        changed = [a["split"] for a, b in zip(before[table], after[table], strict=True) if a != b]
        assert set(changed) == {"test"}
    assert before["layer_density"] == after["layer_density"]


@pytest.mark.parametrize(
    ("file", "other"),
    [
        ("cia/0/ticket", "cia/0/cheap-1"),
        ("cia/0/cheap-1", "cia/0/cheap-2"),
        ("cia/0/ticket", "search/0/ticket"),
    ],
)
def test_another_ticket_in_place_is_refused(file, other, trained, tmp_path):
    Path("endings").unlink()
    for source in (trained / "endings").rglob("*.safetensors"):
        copy = tmp_path / source.relative_to(trained)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    place = Path("endings/base/rigl") / f"{file}.safetensors"
    place.write_bytes((Path("endings/base/rigl") / f"{other}.safetensors").read_bytes())
    with pytest.raises(DamagedError, match=f"{place}: another ticket lies in its place"):
        scored("rigl", "cia")


def test_a_seeds_ensemble_compares_this_seeds_network_with_each_other():
    bench = Bench(Params("base"))
    predicted = {s: bench.predict(ended("dense", "plain", seed=s), "test")[0] for s in (0, 1)}
    differing = (predicted[0].argmax(1) != predicted[1].argmax(1)).double().mean().item()
    for seed, other in ((0, 1), (1, 0)):
        seeds_ensemble.main(Namespace(variant="base", seed=seed, method="dense"))
        file = read_rows(paths.rows("seeds_ensemble", "base", seed, "dense"))
        [row] = file.tables["diversity"]
        assert (row["kind"], row["a"], row["b"]) == ("seeds", seed, other)
        assert row["disagreement"] == differing
        assert set(row) == _columns("diversity")
        assert math.isfinite(row["kl"])


def test_corrupted_images_are_scored_as_those_of_imp_pool_are(monkeypatch):
    def two(_folder: Path) -> Any:
        yield "fog", [1, 2], dataset().split("test").images.repeat(2, 1, 1, 1)

    monkeypatch.setattr(corrupted, "corrupted_sets", two)
    monkeypatch.setattr(corrupted, "corrupted_labels", lambda _: dataset().labels("test"))
    ood_ending.main(Namespace(variant="base", seed=0, method="rigl", ending="cia"))
    rows: list[Row] = read_rows(paths.rows("ood_ending", "base", 0, "rigl", "cia")).tables["ood"]
    clean = scored("rigl", "cia")["sup_tickets"][1]
    assert [row["severity"] for row in rows] == [1, 2]
    for row in rows:
        # `ticket` is a column that the stage `tables` leaves null.
        assert set(row) | {"ticket"} == _columns("ood")
        assert row["accuracy"] == clean["accuracy"]
        assert (row["method"], row["ending"]) == ("rigl", "cia")


def test_training_time_and_cost_are_joined_to_every_ending(trained):
    found: dict[str, list[Row]] = {name: [] for name in (*TABLES, "trainings")}
    head = {"variant": "base", "seed": 0}
    for stage, item in (("sparse", ("rigl",)), ("ending", ("rigl", "cia"))):
        file = read_rows(trained / paths.rows(stage, "base", 0, *item))
        found["trainings"] += [head | row for row in file.tables["trainings"]]
    prefix, ending = found["trainings"]
    found["sup_tickets"] = [head | row for row in scored("rigl", "cia")["sup_tickets"]]
    tables.add_trainings(found)
    for row in found["sup_tickets"]:
        assert row["train_seconds"] == prefix["train_seconds"] + ending["train_seconds"]
        assert row["train_flops"] == ending["train_flops"]
        assert 0 < row["train_fraction"] < 1
        assert set(row) - {"variant", "seed"} == set(TABLES["sup_tickets"].names) - RUN
