"""The search for the first stable epoch, step by step, on trainings of a fraction of a second."""

import json
import math
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from lp_core.analysis.stability import most_probes
from lp_core.checksums import sealed
from lp_core.errors import DamagedError, InputError, MissingInputError
from lp_core.tables import TABLES
from lp_core.tickets import Ticket
from lp_core.training.sgd import SGD
from tasks import imp, pretrain, rewind_probe, rewind_start, stable_rewind
from tasks.kit import paths
from tasks.kit.from_start import Trained
from tasks.kit.rewind_epoch import write_rewind_epoch
from tasks.kit.rewind_search import RewindSearch
from tasks.kit.rows import Tables, read_rows
from tasks.kit.training import Finished, StageTrainer
from tests.lp_core.strategies import bits
from tests.tasks.tiny import PARAMS
from tests.tasks.tiny_forks import (
    EPOCHS,
    NOISE,
    SECTION,
    STEPS,
    forget_states,
    forked,
    make_experiment,
    measured,
    set_params,
)

PROBES = most_probes(EPOCHS)
CHAIN = [{"step": k + 1, "after": k or "start"} for k in range(PROBES)]
RUN = {"dataset", "model", "variant", "seed", "run"}
ONE = Namespace(variant="base", seed=0)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = SECTION | {"stable_rewind": {"variants": ["base"], "steps": CHAIN}}
    rewind = {"epochs": 1, "mode": "stable"}
    tickets = PARAMS["imp"] | {"prunable": "conv", "fraction": 0.2, "checkpoint": "last"}
    make_experiment(tmp_path, monkeypatch, sgd_noise=section, rewind=rewind, imp=tickets)


def threshold(value: float) -> None:
    """Of the error barrier: -1 for one that all are above, 2 for one that none is."""
    set_params(sgd_noise={"threshold": value})


def probed(step: int) -> dict[str, bytes]:
    """One step, as DVC starts it. What it leaves, by file."""
    if step == 1:
        rewind_start.main(ONE)
    folder = paths.rewind_search("base", 0, step)
    shutil.rmtree(folder, ignore_errors=True)
    after = CHAIN[step - 1]["after"]
    rewind_probe.main(Namespace(variant="base", seed=0, step=step, after=str(after)))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def searched() -> Tables:
    """The rows of a whole search."""
    for line in CHAIN:
        probed(int(line["step"]))
    stable_rewind.main(ONE)
    return read_rows(paths.rows("stable_rewind", "base", 0, "search")).tables


def known_barriers(monkeypatch: pytest.MonkeyPatch, barriers: list[float]) -> None:
    """Have an epoch's barrier looked up, instead of training forks and measuring it."""

    def untrained(_: Any, start: Ticket, __: Any) -> Trained:
        return Trained(start, Finished([], 0.0, Path("nowhere")))

    def looked_up(_: Any, __: Any, forks: dict[int, Ticket]) -> float:
        assert list(forks) == NOISE
        return barriers[forks[1].meta["epochs"]]

    monkeypatch.setattr(rewind_probe, "train_from", untrained)
    monkeypatch.setattr(rewind_probe, "_barrier", looked_up)


@pytest.mark.parametrize("first", range(EPOCHS + 1))
def test_the_first_stable_epoch_is_found_and_the_next_one_looked_at(first, monkeypatch):
    known_barriers(monkeypatch, [0.02 if epoch < first else 0.019 for epoch in range(EPOCHS)])
    tables = searched()
    (found,) = tables["stable_rewind"]
    assert found == {"epoch": first, "epochs": EPOCHS, "monotone": True}
    probes = tables["rewind_probes"]
    assert all(set(row) == set(TABLES["rewind_probes"].names) - RUN for row in probes)
    assert set(found) == set(TABLES["stable_rewind"].names) - RUN
    assert [row["step"] for row in probes] == list(range(1, len(probes) + 1))
    assert all(row["stable"] == (row["epoch"] >= first) for row in probes)
    assert {first - 1, first, first + 1} & set(range(EPOCHS)) <= {row["epoch"] for row in probes}
    left = json.loads(paths.rewind_point("stable", "base", 0).read_text())
    assert left["epoch"] == min(first, EPOCHS - 1)


def test_what_contradicts_that_stability_stays_is_said(monkeypatch):
    known_barriers(monkeypatch, [0.0, 1.0, 0.0, 1.0])  # probes 2, 1, then 3 for a check
    tables = searched()
    assert [row["epoch"] for row in tables["rewind_probes"]] == [2, 1, 3]
    assert [row["check"] for row in tables["rewind_probes"]] == [False, False, True]
    assert tables["stable_rewind"] == [{"epoch": 2, "epochs": EPOCHS, "monotone": False}]


@pytest.mark.parametrize("value", [-1.0, 2.0])
def test_a_probes_barrier_is_the_one_between_forks_of_a_rewind_point_there(value):
    """By another road: `pretrain` to the epoch, `fork`, `instability`."""
    threshold(value)
    probes = searched()["rewind_probes"]
    assert len(probes) >= 2
    for row in probes:
        set_params(rewind={"mode": "fixed", "epochs": row["epoch"]})
        pretrain.main(ONE)
        for noise in NOISE:
            forked(noise)
        heights = [r["error_barrier"] for r in measured()["instability"] if r["split"] == "val"]
        mean = fmean(heights)  # NaN where a fork learned nothing
        assert row["error_barrier"] == mean or (math.isnan(row["error_barrier"]) and mean != mean)
        assert row["stable"] == (value > 0 and not math.isnan(mean))


def test_a_start_whose_forks_diverge_is_unstable():
    set_params(train={"schedule": {"lr": 1e9}})
    threshold(2.0)
    tables = searched()
    assert tables["stable_rewind"][0]["epoch"] == EPOCHS
    assert all(math.isnan(row["error_barrier"]) for row in tables["rewind_probes"])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [1, 2 * STEPS, 5 * STEPS + 1])
def test_a_killed_probe_goes_on_bit_for_bit_and_repeats_no_epoch(step, monkeypatch):
    threshold(-1.0)
    whole = probed(1)
    forget_states()
    original, made, kill = SGD.step, [0], [step]

    def counted(optimizer: SGD, lr: float) -> None:
        original(optimizer, lr)
        made[0] += 1
        if made[0] == kill[0]:
            raise Killed

    monkeypatch.setattr(SGD, "step", counted)
    with pytest.raises(Killed):
        probed(1)
    kill[0] = 0
    assert probed(1) == whole
    # The prefix to epoch 2 and three forks from there; and what was lost of an epoch.
    assert made[0] == (2 + 3 * (EPOCHS - 2)) * STEPS + (step - 1) % STEPS + 1
    made[0] = 0
    assert probed(1) == whole
    assert made[0] == 0, "all of it is there"


def test_when_the_search_is_over_steps_pass_on_what_is_known_without_training(monkeypatch):
    threshold(2.0)
    last = [probed(step) for step in range(1, PROBES + 1)]
    assert [len(json.loads(files["search.json"])["probes"]) for files in last] == [1, 2, 3, 3]
    both, one = {"search.json", "state.safetensors"}, {"search.json"}
    assert [set(files) for files in last] == [both, both, one, one]
    told = [json.loads(files["search.json"]) for files in last]
    assert told[2]["probes"] == told[3]["probes"]
    monkeypatch.setattr(StageTrainer, "train", None)
    assert probed(PROBES) == last[-1]


def test_no_finished_step_leaves_a_state_behind_once_the_next_has_begun_from_it():
    threshold(-1.0)
    searched()
    assert not list(paths.RESUME.glob("*"))


def test_forks_of_another_prefix_do_not_go_on_from_the_old_ones_states():
    threshold(-1.0)
    first = probed(1)
    set_params(train={"noise": 9})
    second = probed(1)
    assert second["state.safetensors"] != first["state.safetensors"]
    states = {file.name.partition(".")[0] for file in paths.RESUME.glob("*.safetensors")}
    assert len(states) * 2 == len(list(paths.RESUME.glob("*.safetensors")))


def test_pretrain_goes_to_the_epoch_that_was_found_and_imp_on_from_there(monkeypatch):
    known_barriers(monkeypatch, [1.0, 1.0, 0.0, 0.0])
    searched()
    pretrain.main(ONE)
    point = Ticket.load(paths.ticket("base", 0, "rewind"))
    assert point.meta["epochs"] == 2
    imp.main(Namespace(variant="base", seed=0, ticket=0, parent="rewind"))
    curve = read_rows(paths.rows("imp", "base", 0, 0)).tables["curves"]
    assert [row["epoch"] for row in curve if row["split"] == "val"] == [2, 3]
    set_params(rewind={"mode": "fixed", "epochs": 2})
    pretrain.main(ONE)
    fixed = Ticket.load(paths.ticket("base", 0, "rewind"))
    assert bits(fixed.weights | fixed.buffers) == bits(point.weights | point.buffers)


def test_a_search_that_is_not_over_is_one_line(monkeypatch):
    known_barriers(monkeypatch, [1.0] * EPOCHS)
    probed(1)
    set_params(sgd_noise={"stable_rewind": {"variants": ["base"], "steps": CHAIN[:1]}})
    with pytest.raises(InputError, match=rf"^sgd_noise\.stable_rewind\.steps: .*give {PROBES}$"):
        stable_rewind.main(ONE)


@pytest.mark.parametrize("file", ["search.json", "state.safetensors"])
def test_a_damaged_search_is_refused_with_its_file(file):
    threshold(2.0)
    probed(1)
    path = paths.rewind_search("base", 0, 1) / file
    content = path.read_bytes()
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(DamagedError, match=file):
        probed(2)
    path.unlink()
    with pytest.raises(MissingInputError, match=file):
        probed(2)


def test_pretrain_says_where_the_found_epoch_should_be():
    with pytest.raises(MissingInputError, match=r"rewind/stable/base/0\.json"):
        pretrain.main(ONE)
    path = paths.rewind_point("stable", "base", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    whose = '{"variant": "base", "seed": 0, "epoch": '
    wrong = (f"{whose}true}}", f"{whose}-1}}", '{"epoch": 1}')
    for content in ("{", "{}", f"{whose}1}}", "[]", *map(sealed, wrong)):
        path.write_text(content)
        with pytest.raises(DamagedError, match="no epoch to rewind to"):
            pretrain.main(ONE)


@pytest.mark.parametrize(
    ("whose", "told"),
    [
        (("other", 0, 1), r"another run's epoch lies in its place \(variant other, seed 0\)"),
        (("base", 1, 1), r"another run's epoch lies in its place \(variant base, seed 1\)"),
        (("base", 0, EPOCHS), rf"its epoch is {EPOCHS}, but train\.epochs is {EPOCHS}"),
    ],
)
def test_an_epoch_of_another_run_or_at_the_end_is_refused(whose, told):
    write_rewind_epoch(*whose)
    path = paths.rewind_point("stable", "base", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    paths.rewind_point("stable", *whose[:2]).rename(path)
    with pytest.raises(DamagedError, match=rf"^rewind/stable/base/0\.json: {told}"):
        pretrain.main(ONE)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"variant": "other"}, "another search lies in its place .variant other, seed 0, step 1"),
        ({"seed": 1}, "another search lies in its place .variant base, seed 1, step 1"),
        ({"step": 2}, "another search lies in its place .variant base, seed 0, step 2"),
        ({"epochs": 9}, f"in trainings of 9 epochs, but train.epochs is {EPOCHS}"),
    ],
)
def test_another_search_is_refused(changes, told):
    search = replace(RewindSearch("base", 0, 1, EPOCHS), **changes)
    path = paths.rewind_search("base", 0, 1) / "search.json"
    path.parent.mkdir(parents=True)
    (search.save() / "search.json").rename(path)
    set_params(sgd_noise={"stable_rewind": {"variants": ["base"], "steps": CHAIN[:1]}})
    line = f"^rewind_search/base/0/1/search.json: .*{told}"
    with pytest.raises(DamagedError, match=line):
        stable_rewind.main(ONE)
    with pytest.raises(DamagedError, match=line):
        rewind_probe.main(Namespace(variant="base", seed=0, step=2, after="1"))


def test_a_state_that_is_missing_is_told_with_what_makes_it() -> None:
    rewind_start.main(ONE)
    (paths.rewind_search("base", 0, "start") / "state.safetensors").unlink()
    with pytest.raises(MissingInputError, match=r"state\.safetensors: .*run `dvc repro`"):
        rewind_probe.main(Namespace(variant="base", seed=0, step=1, after="start"))
