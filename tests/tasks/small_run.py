"""A real run, small: two epochs on real images, three tickets, pooled; stage by stage, as DVC would
run them, in the working directory."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from lp_core.data.build import build_dataset
from lp_core.data.spec import DatasetSpec
from tasks import imp, pool, pretrain
from tasks.kit import paths

TICKETS = 3
METHOD = "interpolation"


def small_run(name: str) -> None:
    """On scikit-learn's digits. name: what the data set is to be called."""
    digits = DatasetSpec(source="digits", watch="x", train_images=500, test_images=100)
    build_dataset(name, digits).save(paths.dataset(name))
    Path("params.yaml").write_text(json.dumps(_params(name)))
    pretrain.main(Namespace(variant="base", seed=0))
    for number in range(TICKETS):
        parent = str(number - 1) if number else "rewind"
        imp.main(Namespace(variant="base", seed=0, ticket=number, parent=parent))
    pool.main(Namespace(variant="base", seed=0, method=METHOD))


def _params(name: str) -> dict[str, Any]:
    rounds = [{"ticket": n, "parent": n - 1 if n else "rewind"} for n in range(TICKETS)]
    return {
        "dataset": name,
        "model": {"name": "resnet8"},
        "compute": {"device": "cpu", "precision": "fp32", "channels_last": True, "threads": 1},
        "train": {
            "epochs": 2,
            "batch_size": 64,
            "momentum": 0.9,
            "weight_decay": 0.0005,
            "schedule": {"lr": 0.1},
            "augment": {"crop": 1, "flip": False},
        },
        "rewind": {"mode": "fixed", "epochs": 1},
        "imp": {"rounds": rounds, "fraction": 0.4, "prunable": "conv", "checkpoint": "last"},
        "pooling": {
            "scoring": {"search": "halving", "batch_norm": "re-estimate"},
            "recipes": {METHOD: {"recipe": "search", "coefficients": [0.3, 0.7]}},
        },
        "variants": {"base": {}},
        "seeds": [0],
    }
