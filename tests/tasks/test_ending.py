"""The stage `ending`: what a sparse training comes to, whatever happens to the process."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from lp_core.data.store import Split
from lp_core.errors import DamagedError
from lp_core.pooling.batch_norm import calibration_batches, re_estimate
from lp_core.pooling.by_hand import superpose
from lp_core.seeds import noise_seed
from lp_core.tickets import Ticket
from lp_core.training.resume import StateError, read_hooks
from lp_core.training.sgd import SGD
from tasks.kit import paths, resume
from tasks.kit.bench import Bench
from tasks.kit.params import Params
from tasks.kit.rows import Tables, read_rows
from tasks.kit.sparse_run import SparseRun
from tests.lp_core.strategies import bits
from tests.tasks.tiny_sparse import (
    ENDINGS,
    EPOCHS,
    METHODS,
    START,
    STEPS,
    begin,
    dataset,
    end,
    ended,
    forget_states,
    make_experiment,
)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_experiment(tmp_path, monkeypatch)


def rows(method: str, name: str) -> Tables:
    return read_rows(paths.rows("ending", "base", 0, method, name)).tables


@pytest.mark.parametrize("method", METHODS)
def test_prefix_and_plain_ending_are_an_uninterrupted_run_bit_for_bit(method):
    begin(method)
    end(method, "plain")
    forget_states()
    run = SparseRun("sparse@whole", "base", 0, method)
    masks, epochs = run.initial_masks(), range(EPOCHS)
    run.trainer.train(masks, epochs, run.trainer.state(masks, epochs), hooks=run.hooks())
    whole = Ticket.of(run.trainer.model, run.trainer.masks, {})
    plain = ended(method, "plain")
    for part in ("weights", "mask", "buffers"):
        assert bits(getattr(plain, part)) == bits(getattr(whole, part))
    training = rows(method, "plain")["trainings"][0]
    assert training | run.costs() == training
    assert [row["epoch"] for row in rows(method, "plain")["curves"]] == [
        epoch for epoch in range(START, EPOCHS) for _ in ("train", "val")
    ]


@pytest.mark.parametrize("method", ["dense", "rigl", "granet"])
def test_every_ending_takes_as_many_steps_and_keeps_as_many_weights(method):
    begin(method)
    for name in ENDINGS:
        end(method, name)
        assert len(rows(method, name)["curves"]) == 2 * (EPOCHS - START)
        ticket = ended(method, name)
        assert ticket.kept == round(METHODS[method].get("density", 1.0) * ticket.prunable)
        assert ticket.meta["epochs"] == EPOCHS
        assert ticket.meta["cheap_tickets"] == ENDINGS[name]["tickets"]
        files = {path.name for path in paths.ending("base", method, name, 0).iterdir()}
        cheap = {paths.cheap(number + 1) for number in range(ENDINGS[name]["tickets"])}
        assert files == {paths.END} | cheap


def test_endings_are_as_the_plain_one_until_they_superpose():
    begin("rigl")
    curves = {}
    for name in ("plain", "cia", "three"):
        end("rigl", name)
        curves[name] = [row for row in rows("rigl", name)["curves"] if row["epoch"] == START]
        for row in curves[name]:
            assert row.pop("ending") == name
    assert curves["cia"] == curves["plain"] != curves["three"]


@pytest.mark.parametrize("name", ["cia", "caa", "cima", "three", "fge"])
def test_the_ticket_is_the_running_average_of_the_cheap_ones(name):
    begin("set")
    end("set", name)
    settings, ticket = ENDINGS[name], ended("set", name)
    cheap = [ended("set", name, paths.cheap(n + 1)) for n in range(settings["tickets"])]
    average = settings.get("average", "cia")
    expected = superpose(cheap, average, ticket.kept, settings.get("beta", 0.8))
    for part in ("weights", "mask", "buffers"):
        assert bits(getattr(ticket, part)) == bits(getattr(expected, part))
    assert ticket.meta["batch_norm"] == "averaged"


def test_statistics_are_re_estimated_where_the_ending_says_so():
    begin("set")
    end("set", "cia")
    end("set", "re-estimated")
    averaged, ticket = ended("set", "cia"), ended("set", "re-estimated")
    assert bits(ticket.weights) == bits(averaged.weights)
    bench = Bench(Params("base"))
    spec = SparseRun("ending@x", "base", 0, "set").trainer.spec
    seed = noise_seed(0, None, 0)
    images = calibration_batches(bench.dataset, 16, spec.augment, seed, bench.compute)
    anew = re_estimate(averaged, bench.model, images, bench.compute)
    assert bits(ticket.buffers) == bits(anew.buffers) != bits(averaged.buffers)


def test_a_search_ends_in_a_ticket_that_no_held_out_image_is_lost_by():
    begin("rigl")
    end("rigl", "search")
    bench, ticket = Bench(Params("base")), ended("rigl", "search")
    last = ended("rigl", "search", paths.cheap(2))
    found, alone = (bench.scores(each, "val").accuracy for each in (ticket, last))
    assert found >= alone
    assert found == ticket.meta["val_accuracy"]
    assert ticket.kept == last.kept


def test_every_ticket_of_an_ending_builds_its_network():
    begin("rigl")
    end("rigl", "cia")
    files = sorted(paths.ending("base", "rigl", "cia", 0).iterdir())
    assert len(files) == 3
    for file in files:
        network = Ticket.load(file).network()
        assert bits(network.state_dict()) == bits(Ticket.load(file).state_dict())


def test_cheap_tickets_are_taken_where_their_cycles_rate_is_lowest():
    begin("rigl")
    for name, expected in (("cia", [4.0, 5.0]), ("fge", [3.5, 4.5])):
        end("rigl", name)
        cheap = [ended("rigl", name, paths.cheap(number)) for number in (1, 2)]
        assert [ticket.meta["epochs"] for ticket in cheap] == expected
        assert [ticket.meta["part"] for ticket in cheap] == ["cheap-1", "cheap-2"]


@pytest.mark.parametrize("name", ["cia", "search"])
def test_other_test_images_make_the_same_tickets(name):
    found = []
    for seed in (10, 11):
        data = dataset()
        generator = torch.Generator().manual_seed(seed)
        shape = data.split("test").images.shape
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        test = Split(pixels, torch.randint(0, 4, shape[:1], generator=generator))
        replace(data, parts={**data.parts, "test": test}).save(paths.dataset("noise"))
        forget_states()
        found.append((begin("rigl"), end("rigl", name)))
    assert found[0] == found[1]


class Killed(BaseException):
    pass


def killed_at(step: int, patch: pytest.MonkeyPatch, method: str, name: str) -> None:
    """Run the ending until the optimiser has made so many steps of it."""
    original, left = SGD.step, [step]

    def counted(optimizer: SGD, lr: float) -> None:
        original(optimizer, lr)
        left[0] -= 1
        if not left[0]:
            raise Killed

    with patch.context() as context:
        context.setattr(SGD, "step", counted)
        with pytest.raises(Killed):
            end(method, name)


@pytest.mark.parametrize(
    ("name", "step"),
    [("cia", 3), ("cia", 12), *product(["plain", "cia", "caa", "three", "fge", "search"], [6, 11])],
)
def test_a_killed_ending_goes_on_bit_for_bit(name, step, monkeypatch, capsys):
    begin("rigl")
    expected, spent = end("rigl", name), rows("rigl", name)["trainings"][0]["train_flops"]
    forget_states()
    killed_at(step, monkeypatch, "rigl", name)
    capsys.readouterr()
    assert end("rigl", name) == expected
    assert rows("rigl", name)["trainings"][0]["train_flops"] == spent
    told = capsys.readouterr().out
    assert ("going on from" in told) == (step > STEPS)
    assert "starts over" not in told


def _removed(file: Path) -> None:
    file.unlink()


def _flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def _another(file: Path) -> None:
    ended("rigl", "plain").save(file)


@pytest.mark.parametrize("spoil", [_removed, _flipped, _another])
def test_an_ending_whose_cheap_ticket_is_gone_starts_over_and_says_so(spoil, monkeypatch, capsys):
    begin("rigl")
    end("rigl", "plain")
    expected = end("rigl", "cia")
    forget_states()
    killed_at(2 * STEPS + 1, monkeypatch, "rigl", "cia")
    [cheap] = paths.RESUME.glob("ending@base-0-rigl-cia.*/cheap-1.safetensors")
    spoil(cheap)
    capsys.readouterr()
    assert end("rigl", "cia") == expected
    told = capsys.readouterr().out.splitlines()
    assert str(cheap) in told[0]
    assert told[0].endswith("; the run starts over")
    assert not any("going on" in line for line in told)


def test_states_and_cheap_tickets_go_when_the_ticket_is_recorded():
    begin("rigl")
    end("rigl", "cia")
    assert not list(paths.RESUME.glob("sparse@*"))  # read by the ending, and so recorded
    assert list(paths.RESUME.glob("ending@base-0-rigl-cia.*"))
    resume.forget(resume.stage_name("ending", "base", 0, "rigl", "cia"))
    assert not list(paths.RESUME.iterdir())


def test_another_trainings_state_in_place_is_refused():
    begin("rigl")
    begin("set")
    state = paths.prefix("base", "rigl", 0)
    state.write_bytes(paths.prefix("base", "set", 0).read_bytes())
    told = "another state lies in its place .variant base, seed 0, method set."
    with pytest.raises(DamagedError, match=f"{state}: {told}"):
        end("rigl", "plain")


def test_a_damaged_state_is_refused_with_its_file():
    begin("rigl")
    state = paths.prefix("base", "rigl", 0)
    content = state.read_bytes()
    for damaged in (content[:100], content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
        state.write_bytes(damaged)
        with pytest.raises(DamagedError, match=f"^{state}: "):
            end("rigl", "plain")
        with pytest.raises(StateError):
            read_hooks(state)


def test_a_run_that_diverged_before_its_endings_part_is_recorded_as_that(tmp_path, monkeypatch):
    make_experiment(tmp_path, monkeypatch, schedule={"lr": 1e30})
    begin("rigl")
    for name in ("plain", "cia", "search"):
        files = end("rigl", name)
        assert set(files) == {paths.END}
        assert ended("rigl", name).meta["converged"] is False
        assert rows("rigl", name)["curves"] == []


@pytest.mark.parametrize("name", ["cia", "search"])
def test_a_run_that_diverges_while_it_superposes_is_recorded_as_that(name):
    values: dict[str, Any] = json.loads(Path("params.yaml").read_text())
    values["sup_tickets"]["ending"][name] |= {"lr1": 1e30, "lr2": 1e30}
    Path("params.yaml").write_text(json.dumps(values))
    begin("rigl")
    end("rigl", name)
    ticket = ended("rigl", name)
    assert ticket.meta["converged"] is False
    assert 1 <= ticket.meta["cheap_tickets"] <= 2


@pytest.mark.parametrize("other", [("granet", "cia"), ("rigl", "cima")])
def test_a_state_of_another_run_in_the_states_place_is_passed_over(other, capsys):
    for method in {"rigl", other[0]}:
        begin(method)
    undisturbed = end("rigl", "cia")
    (own,) = paths.RESUME.glob("ending@base-0-rigl-cia.*.safetensors")
    resume.drop(own)
    end(*other)
    (foreign,) = paths.RESUME.glob(f"ending@base-0-{'-'.join(other)}.*.safetensors")
    foreign.rename(own)
    resume.beside(foreign).rename(resume.beside(own))
    capsys.readouterr()
    assert end("rigl", "cia") == undisturbed
    assert "the state of another run; the run starts over" in capsys.readouterr().out
