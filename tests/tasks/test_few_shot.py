"""The stages `few_shot` and `few_shot_forgotten`: tickets trained on a part of the images."""

import hashlib
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lp_core.analysis.forgetting import Forgotten
from lp_core.data.store import Dataset
from lp_core.errors import MissingInputError
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from lp_core.training.sgd import SGD
from tasks import few_shot, few_shot_forgotten, imp
from tasks.kit import few_shot as kit
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.difficulty import save_difficulty
from tasks.kit.from_start import Trained
from tasks.kit.leftovers import CACHE
from tasks.kit.params import Params
from tasks.kit.rows import RowsFile, read_rows
from tasks.kit.rows_only import forget_recorded
from tasks.kit.starts import start_point
from tasks.kit.training import StageTrainer
from tests.lp_core.strategies import bits
from tests.tasks.tiny import PARAMS, make_tickets, save_rewind_point

TRAIN: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": {"lr": 0.1},
    "augment": {"crop": 1, "flip": False},
}
IMP = PARAMS["imp"] | {"fraction": 0.2, "checkpoint": "last"}
NOISE = [1, 2]


class Seen:
    """What the last training started from, trained on, and came to."""

    trainer: StageTrainer
    start: Ticket
    run: Trained

    @property
    def part(self) -> list[int]:
        assert self.trainer.subset is not None
        part: list[int] = self.trainer.subset.tolist()
        return part


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seen:
    sections = {"train": TRAIN, "imp": IMP, "sgd_noise": {"noise": NOISE}}
    make_tickets(tmp_path, monkeypatch, sections)
    save_rewind_point(epochs=1)
    kept, real = Seen(), kit.train_ticket

    def train_ticket(trainer: StageTrainer, start: Ticket, inputs: list[Path]) -> Trained:
        run = real(trainer, start, inputs)
        assert run is not None
        kept.trainer, kept.start, kept.run = trainer, start, run
        return run

    monkeypatch.setattr(kit, "train_ticket", train_ticket)
    return kept


def trained(
    percent: int, ticket: int = 1, network: str = "ticket", selection: str = "random"
) -> RowsFile:
    whose = Namespace(variant="base", seed=0, ticket=ticket, network=network, percent=percent)
    if selection == "random":
        few_shot.main(whose)
    else:
        whose.selection = selection
        few_shot_forgotten.main(whose)
    return read_rows(paths.rows("few_shot", "base", 0, ticket, network, percent, selection))


def labels() -> Tensor:
    return Dataset.load(paths.dataset("noise")).labels("train")


def forgotten(*events: Tensor) -> None:
    """Leave what the stage `instability` leaves of forks that forgot so much."""
    count = len(events[0])
    learned, presented = torch.ones(count, dtype=torch.bool), torch.full((count,), 9).int()
    counts = [Forgotten(each.int(), learned, presented) for each in events]
    save_difficulty("base", 0, "rewind", counts)


def test_a_ticket_trained_on_all_images_is_the_ticket_to_the_bit(seen):
    imp.main(Namespace(variant="base", seed=0, ticket=1, parent="0"))
    ticket = Ticket.load(paths.ticket("base", 0, 1))
    rows = trained(100).tables["few_shot"]
    assert seen.part == list(range(32))
    assert bits(seen.run.ticket.weights) == bits(ticket.weights)
    assert bits(seen.run.ticket.buffers) == bits(ticket.buffers)
    bench = Bench(Params("base"))
    for row in rows:
        assert row["accuracy"] == bench.scores(ticket, row["split"]).accuracy


def test_rows_have_the_columns_of_the_table_and_heads_of_their_own(seen):
    columns = set(TABLES["few_shot"].names) - {"dataset", "model", "variant", "seed", "run"}
    forgotten(torch.zeros(32), torch.zeros(32))
    heads = []
    for percent, network, selection in [
        (25, "ticket", "random"),
        (50, "ticket", "random"),
        (25, "permuted", "random"),
        (25, "ticket", "least-forgotten"),
        (25, "ticket", "most-forgotten"),
    ]:
        file = trained(percent, 1, network, selection)
        rows = file.tables["few_shot"]
        assert [row["split"] for row in rows] == ["val", "test"]
        for row in rows:
            assert set(row) == columns
            assert (row["percent"], row["network"]) == (percent, network)
            assert row["selection"] == selection
            assert row["images"] == len(seen.part)
            assert row["density"] == Ticket.load(paths.ticket("base", 0, 1)).density
        heads.append(file.head)
    assert all(head not in heads[:place] for place, head in enumerate(heads))


def test_a_random_part_has_its_share_of_each_class_and_is_the_same_for_all_networks(seen):
    trained(25)
    part = seen.part
    for label, count in enumerate(labels().bincount().tolist()):
        assert int((labels()[part] == label).sum()) == max(1, round(0.25 * count))
    trained(25, network="permuted")
    assert seen.part == part
    trained(25, ticket=2)
    assert seen.part == part
    trained(50)
    assert set(part) < set(seen.part)


def test_a_permuted_network_keeps_each_layers_density_on_the_weights_of_the_rewind_point(seen):
    trained(25, ticket=2, network="permuted")
    point = start_point("base", 0, "rewind")
    own, permuted = Ticket.load(paths.ticket("base", 0, 2)).mask, seen.run.ticket.mask
    assert bits(permuted) != bits(own)
    for name, mask in own.items():
        assert permuted[name].sum() == mask.sum()
        expected = point.weights[name] * permuted[name]
        assert torch.equal(seen.start.weights[name], expected)
        assert bool((seen.run.ticket.weights[name][~permuted[name]] == 0).all())


def test_permuting_the_dense_network_changes_nothing(seen):
    trained(25, ticket=0)
    dense = bits(seen.run.ticket.weights)
    trained(25, ticket=0, network="permuted")
    assert bits(seen.run.ticket.weights) == dense


def test_the_least_and_the_most_forgotten_are_taken_class_by_class(seen):
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randint(0, 9, (32,), generator=generator) for _ in range(2))
    forgotten(first, second)
    mean = (first + second) / 2
    for selection, sign in (("least-forgotten", 1), ("most-forgotten", -1)):
        trained(25, selection=selection)
        for label in range(4):
            members = set((labels() == label).nonzero().flatten().tolist())
            taken = members & set(seen.part)
            left = members - taken
            assert len(taken) == max(1, round(0.25 * len(members)))
            assert max(sign * mean[i] for i in taken) <= min(sign * mean[i] for i in left)


@pytest.mark.usefixtures("seen")
def test_where_nobody_told_what_was_forgotten_it_is_missed():
    with pytest.raises(MissingInputError, match="difficulty/base/0/rewind"):
        trained(25, selection="most-forgotten")


def test_a_part_smaller_than_a_batch_is_one_batch(seen):
    trained(1)
    assert len(seen.part) == 4
    assert seen.trainer.spec.batch_size == 4
    assert [epoch.epoch for epoch in seen.run.finished.curve] == [1, 2]


def test_a_training_that_is_over_goes_on_from_its_state_whatever_was_trained_since(
    seen, monkeypatch
):
    """DVC may not have recorded it: until the stage `tables` reads its rows, it may run again."""
    items = [(25, "ticket", "random"), (50, "ticket", "random"), (25, "permuted", "random")]
    items.append((25, "ticket", "least-forgotten"))
    forgotten(torch.arange(32) % 5, torch.arange(32) % 3)
    states, rows = set(), []
    for percent, network, selection in items:
        rows.append(trained(percent, network=network, selection=selection).tables["few_shot"])
        states.add(seen.run.finished.state)
    assert len(states) == len(items)
    assert all(state.with_suffix(".done").exists() for state in states)
    monkeypatch.setattr(SGD, "step", None)
    for (percent, network, selection), first in zip(items, rows, strict=True):
        again = trained(percent, network=network, selection=selection)
        assert again.tables["few_shot"] == first


def test_when_its_rows_are_read_a_trainings_own_state_goes_and_no_other(seen):
    rest, unfinished = set(), set()
    for percent in (25, 50):
        trained(percent)
        rest.add(seen.run.finished.state)
    file = trained(100)
    forget_recorded([file.head])
    assert set(paths.RESUME.glob("*.safetensors")) == rest
    (state, *_) = rest
    state.with_suffix(".done").unlink()
    unfinished.add(state)
    heads = [file.head | {"percent": percent} for percent in (25, 50, 100)]
    forget_recorded([head | {"selection": "most-forgotten"} for head in heads])
    assert set(paths.RESUME.glob("*.safetensors")) == rest
    forget_recorded(heads)
    assert set(paths.RESUME.glob("*")) == unfinished


def test_the_next_training_drops_the_states_that_dvc_has_recorded(seen):
    """DVC's cache then holds the rows. The others stay, for they may have to be recorded yet."""
    states = []
    for percent in (25, 50):
        file = trained(percent)
        states.append(seen.run.finished.state)
    content = file.path.read_bytes()
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    cached = Path(CACHE, digest[:2], digest[2:])
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    trained(100)
    assert states[0].exists()
    assert not states[1].exists()
    assert seen.run.finished.state.exists()
