"""A project as a stage finds it, made once, and copied for each case."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from lp_core.data.corrupted import save_array, write_manifest
from lp_core.data.store import Dataset, Split
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.tickets import Ticket
from presets.overlays import DEFAULT, source
from tasks import code
from tasks.kit import paths
from tasks.kit.rows import write_rows
from tests.bad_input.table import params

SMALL = {
    "corrupt/digits/corruptions": ["fog", "snow"],
    "corrupt/digits/severities": [1, 5],
    "corrupt/digits/images": 4,
    "imp/rounds": [{"ticket": 0, "parent": "rewind"}, {"ticket": 1, "parent": 0}],
    "pooling/recipes/candidates-2/candidates": 1,
    "sgd_noise/variants": [],
    "sgd_noise/starts": ["rewind"],
    "sgd_noise/crossed": [],
    "sgd_noise/crossed_tickets": [],
    "sgd_noise/probes/tickets": [],
    "sgd_noise/few_shot/tickets": [],
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Params, data, tickets and rows of variant base, seed 0, and what code each stage runs."""
    root = tmp_path_factory.mktemp("made")
    values = YAML(typ="safe").load(source(DEFAULT))
    (root / "params.yaml").write_text(json.dumps(values))
    params(SMALL)(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Path("constraints.txt").touch()
        Path("own").mkdir()
        code.main(Namespace())
        _images()
        _tickets()
        head = {"stage": "imp", "dataset": "digits", "model": "resnet8", "variant": "base"}
        write_rows(paths.rows("imp", "base", 0, 0), head | {"seed": 0, "ticket": 0}, {"curves": []})
    return root


def _images() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = {
        name: Split(
            torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=generator),
            torch.arange(count) % 10,
        )
        for name, count in (("train", 80), ("val", 20), ("test", 20))
    }
    classes = [str(digit) for digit in range(10)]
    Dataset("digits", classes, 1, 8, [0.5], [0.25], parts).save(paths.dataset("digits"))
    folder = paths.corrupted("digits")
    folder.mkdir()
    images = parts["test"].images[:4].permute(0, 2, 3, 1).numpy()
    sums = {n: save_array(folder / f"{n}.npy", [images] * 2, 2) for n in ("fog", "snow")}
    write_manifest(folder, np.arange(4), [1, 5], sums)


def _tickets() -> None:
    model = build("resnet8", 10, 1, 8, seed=0)
    mask = {n: torch.ones_like(model.get_parameter(n), dtype=torch.bool) for n in prunable(model)}
    rewind = Ticket.of(model, mask, {"variant": "base", "seed": 0, "epochs": 0})
    rewind.save(paths.ticket("base", 0, "rewind"))
    lineage = {"rewind": [rewind.digest, True]}
    for number in range(2):
        whose = {"variant": "base", "seed": 0, "ticket": number}
        meta = whose | {"converged": True, "lineage": dict(lineage)}
        ticket = Ticket.of(model, mask, meta)
        ticket.save(paths.ticket("base", 0, number))
        lineage[str(number)] = [ticket.digest, True]


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil; the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder
