"""The stage `efficient_ensemble`: trained whole, and its members compared."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core import faces
from lp_core.data.store import Split
from lp_core.models.ensembles.spec import ENSEMBLES
from tasks import efficient_ensemble
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params
from tests.tasks.tiny import make_tickets

EPOCHS = 2
TRAIN: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": {"lr": 0.1},
    "augment": {"crop": 1, "flip": False},
}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tickets(tmp_path, monkeypatch, {"train": TRAIN})


def run(name: str) -> dict[str, Any]:
    efficient_ensemble.main(Namespace(variant="base", seed=0, name=name))
    rows = json.loads(paths.rows("efficient_ensemble", "base", 0, name).read_text())
    assert rows["head"]["name"] == name
    tables: dict[str, Any] = rows["tables"]
    return tables


@pytest.mark.parametrize("name", faces.names(ENSEMBLES))
def test_it_is_trained_whole_and_every_ordered_pair_of_members_is_compared(name):
    tables = run(name)
    assert [row["epoch"] for row in tables["curves"] if row["split"] == "val"] == [0, 1]
    assert {row["method"] for row in tables["curves"]} == {name}
    pairs = [(row["a"], row["b"]) for row in tables["diversity"]]
    assert pairs == [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)]
    assert {row["kind"] for row in tables["diversity"]} == {name}
    assert all(0 <= row["disagreement"] <= 1 and row["kl"] > 0 for row in tables["diversity"])


def test_the_same_run_gives_the_same_rows():
    first, second = run("tree-net"), run("tree-net")
    assert first["diversity"] == second["diversity"]
    assert first["curves"] == second["curves"]


def test_the_mean_of_the_members_is_what_the_network_answers():
    bench = Bench(Params("base"))
    ensemble = efficient_ensemble.make("batch-ensemble", bench, seed=3)
    logits = efficient_ensemble.member_logits(ensemble, bench)
    test = bench.dataset.parts["test"]
    assert isinstance(test, Split)
    images = torch.cat([x for x, _ in bench._batches(test)])
    with torch.no_grad():
        torch.testing.assert_close(torch.stack(list(logits.values())).mean(0), ensemble(images))
