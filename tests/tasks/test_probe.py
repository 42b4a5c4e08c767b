"""The stage `probe`: linear classifiers on the frozen features of one ticket's networks."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.analysis.probes import probe_accuracy, train_probes
from lp_core.data.store import Dataset
from lp_core.errors import DamagedError, InputError
from lp_core.models.factory import build
from lp_core.sparsity import permuted_masks
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tasks import probe
from tasks.kit import paths
from tasks.kit.rows import Row, read_rows
from tests.lp_core.tiny import CLASSES
from tests.tasks.tiny import make_tickets, save_rewind_point

SPEC: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0001,
}
BLOCKS = ("stem", "block1", "block2", "block3")


@pytest.fixture(autouse=True)
def tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = {"probes": SPEC | {"tickets": [0, 1, 2]}}
    make_tickets(tmp_path, monkeypatch, {"sgd_noise": section})
    save_rewind_point()


def probed(number: int) -> dict[str, list[Row]]:
    """Rows by network."""
    probe.main(Namespace(variant="base", seed=0, ticket=number))
    rows = read_rows(paths.rows("probe", "base", 0, number)).tables["probes"]
    return {
        name: [r for r in rows if r["network"] == name] for name in {r["network"] for r in rows}
    }


def test_rows_of_each_network_block_and_split_with_the_tables_columns():
    columns = set(TABLES["probes"].names) - {"dataset", "model", "variant", "seed", "run"}
    found = probed(1)
    assert set(found) == {"ticket", "permuted", "trained"}
    density = Ticket.load(paths.ticket("base", 0, 1)).density
    for rows in found.values():
        assert all(set(row) == columns and row["density"] == density for row in rows)
        assert [(row["split"], row["block"]) for row in rows] == [
            (split, block) for split in ("val", "test") for block in range(len(BLOCKS))
        ]


def test_the_dense_network_has_no_permuted_one():
    found = probed(0)
    assert set(found) == {"ticket", "trained"}
    assert found["ticket"][0]["density"] == 1


def normalised(split: str) -> tuple[Tensor, Tensor]:
    data = Dataset.load(paths.dataset("noise"))
    part = data.split(split)
    images = (part.images.float() / 255 - 0.4) / 0.2
    return images, part.labels


def features_of(model: nn.Module, split: str) -> tuple[dict[str, Tensor], Tensor]:
    """By forward hooks on the whole network."""
    kept: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: kept.update({name: output.mean((2, 3))})
        )
        for name in BLOCKS
    ]
    images, labels = normalised(split)
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return kept, labels


def plainly_probed(model: nn.Module) -> list[float]:
    """Accuracy after each block, on held-out and then on test images."""
    model.eval()
    probes = train_probes(*features_of(model, "train"), CLASSES, ProbeSpec(**SPEC), seed=0)
    return [
        accuracy
        for split in ("val", "test")
        for accuracy in probe_accuracy(probes, *features_of(model, split)).values()
    ]


def masked(masks: dict[str, Tensor]) -> nn.Module:
    """The rewind point's weights under masks, with the batch-norm statistics of the training
    images: there are fewer of them than a batch of calibration has."""
    model = build("resnet8", CLASSES, 3, 8, seed=7)
    point = Ticket.load(paths.ticket("base", 0, "rewind"))
    point.load_into(model)
    with torch.no_grad():
        for name, mask in masks.items():
            model.get_parameter(name)[~mask] = 0
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = 1.0
        model(normalised("train")[0])
    return model


def test_features_of_an_untrained_ticket_are_those_of_its_mask_on_the_rewind_point():
    mask = Ticket.load(paths.ticket("base", 0, 2)).mask
    found = probed(2)
    for network, masks in (("ticket", mask), ("permuted", permuted_masks(mask, 0))):
        accuracies = [row["accuracy"] for row in found[network]]
        # The order of summing differs: an image may fall to the other side of a boundary.
        assert accuracies == pytest.approx(plainly_probed(masked(masks)), abs=1.5 / 32)


def test_features_of_a_trained_ticket_are_its_own():
    model = build("resnet8", CLASSES, 3, 8, seed=7)
    Ticket.load(paths.ticket("base", 0, 2)).load_into(model)
    accuracies = [row["accuracy"] for row in probed(2)["trained"]]
    assert accuracies == pytest.approx(plainly_probed(model), abs=1.5 / 32)


def test_the_rewind_points_statistics_do_not_matter_and_its_weights_do():
    before = probed(1)
    path = paths.ticket("base", 0, "rewind")
    point = Ticket.load(path)
    for name, buffer in point.buffers.items():
        if name.endswith("running_var"):
            buffer.mul_(50)
    point.save(path)
    assert probed(1) == before
    generator = torch.Generator().manual_seed(0)
    for weight in point.weights.values():
        weight.copy_(torch.randn(weight.shape, generator=generator))
    point.save(path)
    after = probed(1)
    assert after["trained"] == before["trained"]
    assert after["ticket"] != before["ticket"]


def test_no_weight_of_the_network_moves():
    """Frozen: whatever was probed before, a network's rows are the same."""
    once = probed(2)
    probed(1)
    assert probed(2) == once


def test_what_is_wrong_with_the_settings_is_said_by_name(tmp_path, monkeypatch):
    section = {"probes": SPEC | {"lr": 0, "tickets": [0]}}
    make_tickets(tmp_path, monkeypatch, {"sgd_noise": section})
    with pytest.raises(InputError, match=r"params.yaml: sgd_noise\.probes\.lr is 0"):
        probed(0)


def test_a_ticket_of_another_number_is_refused():
    Ticket.load(paths.ticket("base", 0, 1)).save(paths.ticket("base", 0, 2))
    with pytest.raises(DamagedError, match="another ticket lies in its place"):
        probed(2)
