"""The stage `cross`: masks of one variant trained as another."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lp_core.errors import DamagedError, InputError
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from lp_core.training.trainer import Trainer
from tasks import cross, imp
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.from_start import Trained
from tasks.kit.params import Params
from tasks.kit.rows import Row, read_rows
from tasks.kit.rows_only import forget_recorded
from tests.lp_core.strategies import bits
from tests.tasks.tiny import PARAMS, make_tickets, save_rewind_point

TRAIN: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 8,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": {"kind": "cosine", "lr": 0.3},
    "augment": {"crop": 1, "flip": False},
}
VARIANTS: dict[str, Any] = {
    "base": {},
    "best": {"imp": {"checkpoint": "best"}},
    "no-momentum": {"train": {"momentum": 0.0}},
    "longer": {"train": {"epochs": 7}},
    "shorter": {"train": {"epochs": 2}},
    "wide": {"model": {"name": "resnet20"}},
}
IMP = PARAMS["imp"] | {"fraction": 0.2, "checkpoint": "last"}


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Trained]:
    """What the trainings of the test come to, in their order."""
    make_tickets(tmp_path, monkeypatch, {"train": TRAIN, "imp": IMP, "variants": VARIANTS})
    save_rewind_point(epochs=2)
    kept: list[Trained] = []
    real = cross.train_ticket

    def train_ticket(*arguments: Any) -> Trained | None:
        run = real(*arguments)
        if run:
            kept.append(run)
        return run

    monkeypatch.setattr(cross, "train_ticket", train_ticket)
    return kept


def crossed(training: str, masks: str = "base", ticket: int = 1, seed: int = 0) -> list[Row]:
    cross.main(Namespace(masks=masks, training=training, seed=seed, ticket=ticket))
    return read_rows(paths.rows("cross", masks, seed, training, ticket)).tables["crossed"]


@pytest.mark.parametrize("checkpoint", ["last", "best"])
def test_a_variant_crossed_with_itself_gives_its_own_ticket_to_the_bit(checkpoint, runs):
    params = json.loads(Path("params.yaml").read_text())
    params["imp"]["checkpoint"] = checkpoint
    Path("params.yaml").write_text(json.dumps(params))
    imp.main(Namespace(variant="base", seed=0, ticket=1, parent="0"))
    ticket = Ticket.load(paths.ticket("base", 0, 1))
    rows = crossed("base")
    (run,) = runs
    assert bits(run.ticket.weights) == bits(ticket.weights)
    assert bits(run.ticket.buffers) == bits(ticket.buffers)
    assert bits(run.ticket.mask) == bits(ticket.mask)
    assert run.ticket.meta["epochs"] == ticket.meta["epochs"]
    bench = Bench(Params("base"))
    for row in rows:
        assert row["accuracy"] == bench.scores(ticket, row["split"]).accuracy
        assert row["converged"] == ticket.meta["converged"]


def test_the_mask_is_of_one_variant_and_the_hyperparameters_are_of_the_other(runs):
    crossed("base")
    crossed("no-momentum")
    crossed("base", ticket=2)
    same, other, sparser = (run.ticket for run in runs)
    own = Ticket.load(paths.ticket("base", 0, 1)).mask
    for ticket in (same, other):
        assert bits(ticket.mask) == bits(own)
        assert all(bool((ticket.weights[name][~kept] == 0).all()) for name, kept in own.items())
    assert bits(same.weights) != bits(other.weights)
    assert sparser.density < same.density


def test_training_goes_on_from_the_masks_rewind_point_to_the_end_of_the_trainings_schedule(runs):
    crossed("longer")
    (run,) = runs
    assert [epoch.epoch for epoch in run.finished.curve] == [2, 3, 4, 5, 6]
    # Cosine over seven epochs: after epoch 2 of four the rate would be half of the highest.
    assert run.finished.curve[0].lr > 0.15
    assert run.finished.curve[-1].lr < 0.01


def test_rows_have_the_columns_of_the_table_and_their_head_tells_pairs_apart():
    columns = set(TABLES["crossed"].names) - {"dataset", "model", "variant", "seed", "run"}
    heads = []
    for training in ("base", "no-momentum"):
        rows = crossed(training)
        assert [row["split"] for row in rows] == ["val", "test"]
        assert all(set(row) == columns and row["training"] == training for row in rows)
        heads.append(read_rows(paths.rows("cross", "base", 0, training, 1)).head)
    assert heads[0] != heads[1]
    assert heads[0]["variant"] == "base"


def test_a_killed_training_goes_on_from_its_last_epoch(monkeypatch, runs, capsys):
    whole = crossed("longer")
    for state in paths.RESUME.iterdir():
        state.unlink()
    save = Trainer.save
    saved = 0

    def killed(self: Trainer, path: Path) -> None:
        nonlocal saved
        save(self, path)
        saved += 1
        if saved == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        crossed("longer")
    monkeypatch.setattr(Trainer, "save", save)
    capsys.readouterr()
    again = crossed("longer")
    assert "going on from" in capsys.readouterr().out
    assert bits(runs[1].ticket.weights) == bits(runs[0].ticket.weights)
    timeless = [[row | {"train_seconds": None} for row in rows] for rows in (whole, again)]
    assert timeless[0] == timeless[1]


def test_a_rewind_point_with_no_epoch_left_is_refused():
    with pytest.raises(InputError, match=r"train\.epochs is 2, .* 2 epochs behind it"):
        crossed("shorter")


def test_a_mask_of_another_network_is_refused():
    with pytest.raises(InputError, match="of another network"):
        crossed("wide")


def test_a_ticket_in_the_rewind_points_place_is_refused():
    Ticket.load(paths.ticket("base", 0, 1)).save(paths.ticket("base", 0, "rewind"))
    with pytest.raises(DamagedError, match="no rewind point lies in its place"):
        crossed("base")


def test_the_mask_search_of_another_seed_is_refused():
    ticket = Ticket.load(paths.ticket("base", 0, 1))
    ticket.meta["seed"] = 1
    ticket.save(paths.ticket("base", 0, 1))
    with pytest.raises(DamagedError, match="another ticket lies in its place"):
        crossed("base")


def test_a_trainings_state_stays_until_its_own_rows_are_read(runs):
    for training, ticket in (("base", 1), ("no-momentum", 1), ("base", 2)):
        crossed(training, ticket=ticket)
    states = [run.finished.state for run in runs]
    assert set(paths.RESUME.glob("*.safetensors")) == set(states)
    forget_recorded([read_rows(paths.rows("cross", "base", 0, "no-momentum", 1)).head])
    assert set(paths.RESUME.glob("*.safetensors")) == {states[0], states[2]}
