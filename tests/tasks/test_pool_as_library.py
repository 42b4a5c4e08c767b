"""`lp_core.pooling.pool` and the stage `pool` make the same of the same tickets."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lp_core.data.loading import eval_batches
from lp_core.pooling import ScoringSpec, pool
from lp_core.tickets import Ticket
from tasks import pool as stage
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.calibration import calibration_images
from tasks.kit.params import Params
from tasks.kit.recipes import read_recipe
from tasks.kit.rows import read_rows
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import residual_network
from tests.tasks.tiny import PARAMS, RECIPES, SCORING, pooling

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("method", "batch_norm"),
    [(method, "re-estimate") for method in RECIPES] + [("interpolation", "average")],
)
@pytest.mark.usefixtures("root")
def test_the_library_and_the_stage_make_equal_pooled_tickets(method, batch_norm):
    scoring = SCORING | {"batch_norm": batch_norm}
    Path("params.yaml").write_text(json.dumps(PARAMS | pooling(scoring=scoring)))
    stage.main(Namespace(variant="base", seed=0, method=method))
    trace = read_rows(paths.rows("pool", "base", 0, method)).tables["pool_search"]

    params = Params("base")
    results = _pooled_with_own_loaders(
        [2, 0, 1], recipe=read_recipe(params, method), scoring=ScoringSpec(**scoring)
    )
    for number, result in results.items():
        expected = Ticket.load(paths.pooled("base", 0, method, number))
        assert result.ticket.digest == expected.digest
        assert bits(result.ticket.mask) == bits(expected.mask)
        for name in ("members", "density", "batch_norm", "variant", "seed", "ticket"):
            assert result.ticket.meta[name] == expected.meta[name]
        mine = [{k: row[k] for k in asdict(result.trace[0])} for row in trace
                if row["ticket"] == number]  # fmt: skip
        assert [asdict(step) for step in result.trace] == mine


def _pooled_with_own_loaders(numbers: list[int], **settings: Any) -> dict[int, Any]:
    """By the numbers of tickets that are given in this order."""
    bench, params = Bench(Params("base")), Params("base")
    val = [
        torch.cat(part) for part in zip(*eval_batches(bench.dataset, "val", 7, "cpu"), strict=True)
    ]
    calibration = calibration_images(bench, params, 0, SCORING["calibration_images"])
    tickets = [Ticket.load(paths.ticket("base", 0, number)) for number in numbers]
    results = pool(
        tickets,
        residual_network(),
        DataLoader(TensorDataset(*val), batch_size=5),
        [(images, None) for images in calibration],
        precision="fp32",
        **settings,
    )
    return dict(zip(numbers, results, strict=True))
