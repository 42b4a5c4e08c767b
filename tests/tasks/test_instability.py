"""The stage `instability` on tiny forks, against plain re-implementations."""

import math
import shutil
from collections.abc import Iterator
from itertools import combinations

import pandas as pd
import pytest
import torch
from torch import Tensor

from lp_core.data.store import Dataset
from lp_core.errors import DamagedError, MissingInputError
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from tasks.kit import paths
from tests.lp_core.tiny import residual_network
from tests.tasks.tiny import SCORING, pooling
from tests.tasks.tiny_forks import (
    EPOCHS,
    NOISE,
    REWIND,
    SECTION,
    TRAIN,
    fork_rows,
    fork_ticket,
    forked,
    make_experiment,
    measured,
    set_params,
)

RUN = {"dataset", "model", "variant", "seed", "run"}
JOINED = {"train_seconds"}  # by the stage `tables`, from the rows of the training


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pd.DataFrame]]:
    with pytest.MonkeyPatch.context() as patch:
        # Averaged statistics, so that nothing but the weights decides.
        scoring = pooling(scoring=SCORING | {"batch_norm": "average"})
        make_experiment(tmp_path_factory.mktemp("forks"), patch, **scoring)
        for noise in NOISE:
            forked(noise, "2")
        yield {name: pd.DataFrame(rows) for name, rows in measured("2").items()}


def _logits(state: dict[str, Tensor], split: str) -> tuple[Tensor, Tensor]:
    model = residual_network()
    model.load_state_dict(state)
    part = Dataset.load(paths.dataset("noise")).split(split)
    with torch.no_grad():
        return model.eval()((part.images.float() / 255 - 0.4) / 0.2), part.labels


def _error(state: dict[str, Tensor], split: str) -> float:
    logits, labels = _logits(state, split)
    return 1 - (logits.argmax(1) == labels).double().mean().item()


def _state(ticket: Ticket) -> dict[str, Tensor]:
    return ticket.weights | ticket.buffers


def test_the_line_between_two_forks_is_their_weighted_mean(tables):
    path = tables["instability_paths"]
    assert len(path) == 3 * 11 * 2
    assert set(path.columns) == set(TABLES["instability_paths"].names) - RUN
    for row in path.itertuples():
        a, b = _state(fork_ticket(row.noise_a, "2")), _state(fork_ticket(row.noise_b, "2"))
        mixed = {
            name: row.alpha * tensor + (1 - row.alpha) * b[name]
            if tensor.is_floating_point()
            else tensor
            for name, tensor in a.items()
        }
        logits, labels = _logits(mixed, row.split)
        assert row.error == pytest.approx(_error(mixed, row.split))
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        assert row.loss == pytest.approx(loss, rel=1e-4)


def test_instability_is_equation_3_of_every_pair_and_split(tables):
    keys = ["noise_a", "noise_b", "split"]
    found = tables["instability"]
    assert set(found.columns) == set(TABLES["instability"].names) - RUN
    assert [tuple(row) for row in found[keys].to_numpy()] == [
        (a, b, split) for a, b in combinations(NOISE, 2) for split in ("val", "test")
    ]
    for key, path in tables["instability_paths"].groupby(keys):
        row = found.set_index(keys).loc[key]
        ends = path[path["alpha"].isin([0, 1])]
        converged = all(fork_ticket(noise, "2").meta["converged"] for noise in key[:2])
        for kind in ("error", "loss"):
            barrier = max(path[kind]) - sum(ends[kind]) / 2 if converged else math.nan
            assert row[f"{kind}_barrier"] == pytest.approx(barrier, nan_ok=True)
        assert row["stable"] == (row["error_barrier"] < SECTION["threshold"])
        assert row["density"] == Ticket.load(paths.ticket("base", 0, 2)).density


def test_a_forks_row_has_what_it_came_to_and_what_it_forgot(tables):
    found = tables["forks"]
    assert set(found.columns) == set(TABLES["forks"].names) - RUN - JOINED
    assert [tuple(r) for r in found[["start", "noise", "split"]].to_numpy()] == [
        ("2", noise, split) for noise in NOISE for split in ("val", "test")
    ]
    for row in found.itertuples():
        ticket = fork_ticket(row.noise, "2")
        assert row.accuracy == pytest.approx(1 - _error(_state(ticket), row.split))
        assert row.images == 32
        assert row.removed is None
        curve = fork_rows(row.noise, "2")["fork_curves"]
        assert sum(epoch["events"] for epoch in curve) == pytest.approx(row.events)
        if row.converged:
            first = _error(_state(_start()), "val")
            last = 1 - curve[-1]["accuracy"]
            gained = [first - (1 - epoch["accuracy"]) for epoch in curve]
            speed = sum(gained) / len(gained) / (first - last)
            assert row.convergence == pytest.approx(speed)
    assert found["converged"].any()


def _start() -> Ticket:
    rewind, masks = (Ticket.load(paths.ticket("base", 0, name)) for name in ("rewind", 2))
    for name, mask in masks.mask.items():
        rewind.weights[name] *= mask
    return rewind


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    make_experiment(tmp_path, monkeypatch)
    for noise in NOISE:
        forked(noise)


@pytest.mark.usefixtures("experiment")
def test_the_threshold_is_what_params_say():
    barriers = {row["error_barrier"] for row in measured()["instability"]}
    for threshold in (-1.0, 1.0, max(barriers)):
        set_params(sgd_noise=SECTION | {"threshold": threshold})
        for row in measured()["instability"]:
            assert row["stable"] == (row["error_barrier"] < threshold)


@pytest.mark.usefixtures("experiment")
def test_a_noise_seed_taken_from_the_list_counts_no_more_though_its_fork_is_there():
    set_params(sgd_noise=SECTION | {"noise": [3, 1]})
    found = measured()
    assert {(row["noise_a"], row["noise_b"]) for row in found["instability"]} == {(3, 1)}
    assert [row["noise"] for row in found["forks"]] == [3, 3, 1, 1]


@pytest.mark.usefixtures("experiment")
def test_a_listed_fork_must_be_there_and_be_itself():
    folder = paths.fork("base", 0, "rewind", 2)
    shutil.rmtree(folder)
    with pytest.raises(MissingInputError, match="forks/base/0/rewind/2"):
        measured()
    shutil.copytree(paths.fork("base", 0, "rewind", 1), folder)
    with pytest.raises(DamagedError, match=r"another ticket lies in its place .*noise 1"):
        measured()


@pytest.mark.usefixtures("experiment")
def test_measuring_changes_no_fork_and_drops_the_states_of_those_that_are_recorded():
    before = {noise: fork_ticket(noise).digest for noise in NOISE}
    assert len(list(paths.RESUME.glob("*.safetensors"))) == len(NOISE)
    first = measured()
    assert not list(paths.RESUME.glob("*.safetensors"))
    again = measured()
    for name in ("forks", "instability_paths", "instability"):
        assert first[name] == again[name]
    assert {noise: fork_ticket(noise).digest for noise in NOISE} == before


def test_a_diverged_fork_is_stable_with_nobody(tmp_path, monkeypatch):
    make_experiment(tmp_path, monkeypatch)
    set_params(train=TRAIN | {"schedule": {"lr": 1e9}})
    forked(2)
    set_params(train=TRAIN)
    forked(1)
    forked(3)
    found = measured()
    for row in found["instability"]:
        diverged = 2 in (row["noise_a"], row["noise_b"])
        assert math.isnan(row["error_barrier"]) == diverged
        assert math.isnan(row["loss_barrier"]) == diverged
        assert not (diverged and row["stable"])
    for row in found["forks"]:
        assert row["converged"] == (row["noise"] != 2)
        assert math.isnan(row["convergence"]) == (row["noise"] == 2)
    assert len(fork_rows(2)["fork_curves"]) < EPOCHS - REWIND


def test_a_fork_at_chance_is_stable_with_nobody(tmp_path, monkeypatch):
    """Between networks that learned nothing no line has a hill, which says nothing."""
    make_experiment(tmp_path, monkeypatch)
    for noise in NOISE:
        forked(noise)
    path = paths.fork("base", 0, "rewind", 2) / paths.END
    ticket = Ticket.load(path)
    ticket.meta["converged"] = False
    ticket.save(path)
    for row in measured()["instability"]:
        at_chance = 2 in (row["noise_a"], row["noise_b"])
        assert math.isnan(row["error_barrier"]) == math.isnan(row["loss_barrier"]) == at_chance
        assert not (at_chance and row["stable"])
