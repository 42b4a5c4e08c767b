"""The stage `transfer`: frozen features of tickets on other data sets."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.analysis.probes import features, probe_accuracy, train_probes
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.data.adapt import adapted
from lp_core.data.loading import eval_batches
from lp_core.data.store import Dataset, Split
from lp_core.models.factory import build
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tasks import probe, transfer
from tasks.kit import paths
from tasks.kit.rows import Row, read_rows
from tests.lp_core.tiny import CLASSES
from tests.tasks.tiny import make_tickets, save_rewind_point

PROBES: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0001,
}


def striped(seed: int) -> Split:
    """48 grey images of 12×10 pixels, of three classes: the rows that are bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(48) % 3
    pixels = torch.randint(0, 120, (48, 12, 10, 1), dtype=torch.uint8, generator=generator)
    for image, label in zip(pixels, labels.tolist(), strict=True):
        image[4 * label : 4 * label + 4] += 120
    return Split(pixels.permute(0, 3, 1, 2), labels)


@pytest.fixture(autouse=True)
def tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tickets(tmp_path, monkeypatch, {"sgd_noise": {"probes": PROBES}})
    save_rewind_point()
    parts = {name: striped(seed) for seed, name in enumerate(("train", "val", "test"))}
    grey = Dataset("stripes", ["top", "middle", "bottom"], 1, [12, 10], [0.3], [0.2], parts)
    grey.save(paths.dataset("stripes"))


def transferred(number: int, target: str = "stripes") -> list[Row]:
    transfer.main(Namespace(variant="base", seed=0, ticket=number, target=target))
    return read_rows(paths.rows("transfer", "base", 0, number, target)).tables["transfer"]


def test_rows_of_each_network_and_split_with_the_tables_columns():
    columns = set(TABLES["transfer"].names) - {"dataset", "model", "variant", "seed", "run"}
    rows = transferred(1)
    assert all(set(row) == columns and row["target"] == "stripes" for row in rows)
    assert [(row["network"], row["split"]) for row in rows] == [
        (network, split)
        for network in ("ticket", "permuted", "trained")
        for split in ("val", "test")
    ]
    assert {row["network"] for row in transferred(0)} == {"ticket", "trained"}


def test_heads_tell_targets_apart_and_name_the_source():
    transferred(1)
    transferred(1, "noise")
    heads = [
        read_rows(paths.rows("transfer", "base", 0, 1, target)).head
        for target in ("stripes", "noise")
    ]
    assert heads[0] != heads[1]
    assert {head["dataset"] for head in heads} == {"noise"}


def test_it_is_a_probe_of_the_last_block_on_the_targets_images_and_classes():
    """Plainly, for the trained ticket: its own statistics, the target's images made to fit."""
    target = adapted(Dataset.load(paths.dataset("stripes")), 3, 8)
    model = build("resnet8", CLASSES, 3, 8, seed=7)
    Ticket.load(paths.ticket("base", 0, 2)).load_into(model)
    compute = Compute(ComputeSpec("cpu", "fp32", True, 1))
    model = compute.to_device(model)

    def last(split: str) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        found, labels = features(model, eval_batches(target, split, 500, "cpu"), compute)
        return {"block3": found["block3"]}, labels

    probes = train_probes(*last("train"), 3, ProbeSpec(**PROBES), seed=0)
    expected = [probe_accuracy(probes, *last(split))["block3"] for split in ("val", "test")]
    rows = [row["accuracy"] for row in transferred(2) if row["network"] == "trained"]
    assert rows == expected


def test_on_its_own_data_set_it_is_the_probe_after_the_last_block():
    probe.main(Namespace(variant="base", seed=0, ticket=1))
    probed = read_rows(paths.rows("probe", "base", 0, 1)).tables["probes"]
    last = [(r["network"], r["split"], r["accuracy"]) for r in probed if r["block"] == 3]
    own = [(r["network"], r["split"], r["accuracy"]) for r in transferred(1, "noise")]
    assert sorted(own) == sorted(last)


def test_untrained_networks_have_the_statistics_of_the_targets_images():
    """The source's images do not matter to them, but for the shape and the number of classes."""
    before = transferred(1)
    source = Dataset.load(paths.dataset("noise"))
    parts = {
        name: Split(255 - source.split(name).images, source.labels(name))
        for name in ("train", "val", "test")
    }
    Dataset("noise", source.classes, 3, 8, [0.6] * 3, [0.2] * 3, parts).save(paths.dataset("noise"))
    assert transferred(1) == before
