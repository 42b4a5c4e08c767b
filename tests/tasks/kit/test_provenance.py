"""How long a stage took, where some of its epochs were another process's."""

import json
import time
from argparse import Namespace
from pathlib import Path

import pytest

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from tasks import imp, pretrain
from tasks.kit import paths, provenance
from tasks.kit.rows import read_rows
from tests.tasks.tiny import PARAMS

COMPUTE = Compute(ComputeSpec("cpu", threads=1))
TRAINING = {
    "train": PARAMS["train"]
    | {"epochs": 2, "batch_size": 16, "momentum": 0.9, "weight_decay": 5e-4}
    | {"schedule": {"kind": "constant", "lr": 0.1}},
    "rewind": {"epochs": 1},
    "imp": {
        "prunable": "conv",
        "checkpoint": "last",
        "rounds": [{"ticket": 0, "parent": "rewind"}],
    },
}


def test_a_stage_took_as_long_as_its_process():
    ran = provenance.provenance("pool", "swa", COMPUTE)["seconds"]
    assert ran > 0
    assert provenance.provenance("imp", 3, COMPUTE, trained=ran / 2)["seconds"] >= ran


@pytest.mark.usefixtures("root")
def test_a_training_that_was_resumed_took_at_least_as_long_as_all_its_epochs(monkeypatch):
    """As if the process had started when the epochs were over."""
    Path("params.yaml").write_text(json.dumps(PARAMS | TRAINING))
    monkeypatch.setattr(provenance, "_STARTED", time.monotonic() + 3600)
    pretrain.main(Namespace(variant="base", seed=0))
    imp.main(Namespace(variant="base", seed=0, ticket=0, parent="rewind"))
    tables = read_rows(paths.rows("imp", "base", 0, 0)).tables
    assert tables["stages"][0]["seconds"] == tables["trainings"][0]["train_seconds"] > 0
    rewind = read_rows(paths.rows("pretrain", "base", 0, "rewind")).tables
    assert rewind["stages"][0]["seconds"] > 0


def test_the_precision_that_auto_came_to_is_told():
    assert provenance.provenance("pool", "swa", COMPUTE)["precision"] == COMPUTE.precision
