"""The stage `fork`: trainings of one start differ in their noise seed alone, whatever happens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.analysis.forgetting import Forgotten
from lp_core.data.epoch import Batch
from lp_core.errors import DamagedError, InputError
from lp_core.seeds import noise_seed
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from lp_core.training.sgd import SGD
from tasks.kit import paths
from tasks.kit.training import StageTrainer, WithProgressBar
from tests.lp_core.strategies import bits
from tests.tasks.tiny_forks import (
    EPOCHS,
    NOISE,
    REWIND,
    STEPS,
    TRAIN,
    forget_states,
    fork_rows,
    fork_ticket,
    forked,
    make_experiment,
    set_params,
)

RUN = {"dataset", "model", "variant", "seed", "run"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_experiment(tmp_path, monkeypatch)


@pytest.mark.parametrize("start", ["rewind", "2"])
def test_forks_share_their_first_weights_to_the_bit_and_nothing_of_their_noise(start, monkeypatch):
    first: list[dict[str, bytes]] = []
    seeds: list[list[int]] = []
    train, epoch = StageTrainer.train, WithProgressBar.epoch

    def watched(trainer: StageTrainer, *given: Any, **named: Any) -> Any:
        first.append(bits(trainer.model.state_dict()))
        seeds.append([])
        return train(trainer, *given, **named)

    def counted(loader: WithProgressBar, seed: int) -> Iterator[Batch]:
        seeds[-1].append(seed)
        return epoch(loader, seed)

    monkeypatch.setattr(StageTrainer, "train", watched)
    monkeypatch.setattr(WithProgressBar, "epoch", counted)
    for noise in NOISE:
        forked(noise, start)
    assert first[0] == first[1] == first[2]
    assert seeds == [
        [noise_seed(noise, None, epoch) for epoch in range(REWIND, EPOCHS)] for noise in NOISE
    ]
    weights = [bits(fork_ticket(noise, start).weights) for noise in NOISE]
    assert weights[0] != weights[1] != weights[2] != weights[0]


def test_a_fork_of_a_ticket_starts_from_the_rewind_point_under_its_mask(monkeypatch):
    first: list[dict[str, torch.Tensor]] = []
    train = StageTrainer.train

    def watched(trainer: StageTrainer, *given: Any, **named: Any) -> Any:
        first.append({n: t.clone() for n, t in trainer.model.state_dict().items()})
        return train(trainer, *given, **named)

    monkeypatch.setattr(StageTrainer, "train", watched)
    forked(1, "2")
    rewind, masks = (Ticket.load(paths.ticket("base", 0, name)) for name in ("rewind", 2))
    for name, tensor in (rewind.weights | rewind.buffers).items():
        mask = masks.mask.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(first[0][name], tensor * mask)
    ticket = fork_ticket(1, "2")
    assert bits(ticket.mask) == bits(masks.mask)
    assert all(not ticket.weights[name][~mask].any() for name, mask in ticket.mask.items())
    assert ticket.density == masks.density < 1


def test_a_fork_is_the_training_that_train_noise_would_be():
    """From the initial weights of the rewind point on; momentum begins at zero."""
    forked(7)
    set_params(train=TRAIN | {"noise": 7})
    trainer = StageTrainer("fork@x", "base", 0)
    start = Ticket.load(paths.ticket("base", 0, "rewind"))
    start.load_into(trainer.model)
    epochs = range(REWIND, EPOCHS)
    trainer.train(start.mask, epochs, trainer.state(start.mask, epochs))
    assert bits(fork_ticket(7).weights) == bits(Ticket.of(trainer.model, {}, {}).weights)


def test_equal_forks_are_equal_files_wherever_they_begin():
    whole = forked(1)
    assert set(whole) == {paths.END, paths.FORGETTING}
    assert forked(1) == whole  # from the finished state
    forget_states()
    assert forked(1) == whole


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [1, STEPS, 2 * STEPS + 1])
def test_a_killed_fork_goes_on_bit_for_bit(step, monkeypatch):
    whole, rows = forked(1), fork_rows(1)
    forget_states()
    original, left = SGD.step, [step]

    def counted(optimizer: SGD, lr: float) -> None:
        original(optimizer, lr)
        left[0] -= 1
        if not left[0]:
            raise Killed

    with monkeypatch.context() as context:
        context.setattr(SGD, "step", counted)
        with pytest.raises(Killed):
            forked(1)
    assert forked(1) == whole
    assert fork_rows(1)["fork_curves"] == rows["fork_curves"]


def test_no_fork_goes_on_from_another_ones_state():
    """Of another seed, noise, start, or setting: each has a name or a key of its own."""
    forked(1)
    states = set(paths.RESUME.glob("*.safetensors"))
    for noise, start, changes in (
        (2, "rewind", {}),
        (1, "2", {}),
        (1, "rewind", {"weight_decay": 0.0}),
    ):
        set_params(train=TRAIN | changes)
        forked(noise, start)
        found = set(paths.RESUME.glob("*.safetensors"))
        assert len(found) == len(states) + 1
        states = found


def test_the_curve_is_of_the_forks_own_epochs_and_has_the_forgetting_of_each():
    forked(1)
    curve = fork_rows(1)["fork_curves"]
    assert [row["epoch"] for row in curve] == list(range(REWIND, EPOCHS))
    assert all(set(row) == set(TABLES["fork_curves"].names) - RUN for row in curve)
    forgotten = Forgotten.load(paths.fork("base", 0, "rewind", 1) / paths.FORGETTING)
    presented = STEPS * TRAIN["batch_size"]  # in each epoch: every sample
    assert len(forgotten.events) == presented
    assert sum(row["events"] for row in curve) == pytest.approx(forgotten.mean)
    meta = fork_ticket(1).meta
    assert meta["epochs"] == EPOCHS
    assert meta["errors"][1:] == [1 - row["accuracy"] for row in curve]


def test_a_fork_that_diverges_is_a_result():
    set_params(train=TRAIN | {"schedule": {"lr": 1e9}})
    forked(1)
    ticket = fork_ticket(1)
    assert not ticket.meta["converged"]
    assert len(fork_rows(1)["fork_curves"]) < EPOCHS - REWIND


@pytest.mark.parametrize("name", ["rewind", "2"])
def test_another_ticket_in_the_place_of_a_start_is_refused(name):
    Ticket.load(paths.ticket("base", 0, 1)).save(paths.ticket("base", 0, name))
    with pytest.raises(DamagedError, match="lies in its place"):
        forked(1, "2")


@pytest.mark.parametrize("changes", [{"variant": "other"}, {"seed": 1}])
def test_the_rewind_point_of_another_run_is_refused(changes):
    path = paths.ticket("base", 0, "rewind")
    point = Ticket.load(path)
    point.meta |= changes
    point.save(path)
    ((name, value),) = changes.items()
    with pytest.raises(DamagedError, match=f"another rewind point .*{name} {value}"):
        forked(1)


def test_a_fork_in_the_rewind_points_place_is_refused():
    forked(1)
    fork_ticket(1).save(paths.ticket("base", 0, "rewind"))
    with pytest.raises(DamagedError, match="no rewind point lies in its place"):
        forked(2)


def test_a_rewind_point_with_no_epoch_left_is_refused():
    set_params(train=TRAIN | {"epochs": REWIND})
    with pytest.raises(InputError, match=r"^train\.epochs is 1, but .*rewind\.safetensors has 1 "):
        forked(1)
