"""Sup-tickets inside a training: when masks are explored, which tickets are taken, and that a
killed run goes on as an undisturbed one."""

import math
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.errors import InputError
from lp_core.pooling.by_hand import superpose
from lp_core.superposing.cheap_tickets import Superposing
from lp_core.superposing.spec import EndingSpec
from lp_core.tickets import Ticket
from lp_core.training.hooks import Hook, Progress
from tests.lp_core.sparse import (
    DYNAMIC,
    EPOCHS,
    SETTINGS,
    STEPS,
    SUP,
    hook,
    leave,
    long_run,
    method,
    prunable_weights,
    sparse_run,
)
from tests.lp_core.strategies import bits, state
from tests.lp_core.tiny import ROOT, TinyRun, without_time

FIRST = (EPOCHS - SUP.superposing) * STEPS


class Watch(Hook):
    """The steps, their masks after the optimiser's step, and which of them asked for dense
    gradients."""

    def __init__(self) -> None:
        self.masks: list[dict[str, torch.Tensor]] = []
        self.dense: list[int] = []
        self.steps: list[int] = []
        self.rates: list[float] = []

    def after_step(self, progress: Progress) -> None:
        self.steps.append(progress.step)
        self.rates.append(progress.lr)
        self.masks.append({name: mask.clone() for name, mask in progress.masks.items()})
        if progress.dense_steps > len(self.dense):
            self.dense.append(progress.step)


def trained(
    name: str, ending: EndingSpec = SUP, **changes: object
) -> tuple[TinyRun, Watch, list[Ticket]]:
    cheap: list[Ticket] = []

    def on_ticket(number: int, ticket: Ticket) -> None:
        assert number == ticket.meta["ticket"] == len(cheap) + 1
        cheap.append(ticket)

    run = sparse_run(method(name, **changes), ending, others=lambda: [Watch()], on_ticket=on_ticket)
    run.train()
    watch = hook(run, "Watch")
    assert isinstance(watch, Watch)
    return run, watch, cheap


def average(run: TinyRun) -> Ticket:
    superposing = hook(run, "Superposing")
    assert isinstance(superposing, Superposing)
    return superposing.average


@pytest.mark.parametrize("name", SETTINGS)
def test_every_cycle_leaves_one_ticket_and_the_average_is_theirs_at_the_density(name):
    run, watch, cheap = trained(name)
    keep = round(method(name).density * prunable_weights(run.model))
    assert [ticket.kept for ticket in cheap] == [keep, keep]
    assert state(average(run)) == state(superpose(cheap, "cia", keep))
    assert average(run).kept == keep
    assert {sum(int(m.sum()) for m in masks.values()) for masks in watch.masks[FIRST:]} == {keep}
    last = Ticket.of(run.model, run.trainer.progress.masks, {"ticket": 2})
    assert state(cheap[-1]) == state(last)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_cycle_is_opened_by_one_exploration_and_has_no_other_update(name):
    """Also of a method whose mask never changes before. A dense gradient is asked for at updates
    and explorations alone; by SET and by a dense run at none of them."""
    ending = EndingSpec(tickets=2, cycle=2, lr1=0.01, lr2=0.05)
    first = (EPOCHS - ending.superposing) * STEPS
    changes = {"interval": 1} if name in DYNAMIC else {}
    if name == "granet":
        changes["until"] = 2
    _, watch, _ = trained(name, ending, **changes)
    opened = [first, first + 2 * STEPS]
    changed = [
        step
        for step in range(first, EPOCHS * STEPS)
        if bits(watch.masks[step]) != bits(watch.masks[step - 1])
    ]
    assert changed == ([] if name == "dense" else opened)
    if name in ("rigl", "granet"):
        assert watch.dense == [*range(1, first), *opened]
    else:
        assert watch.dense == ([] if name in ("set", "dense") else opened)


def test_without_exploration_the_mask_stays_through_all_cycles():
    _, watch, cheap = trained("rigl", EndingSpec(tickets=2, cycle=1, prune_rate=0.0))
    assert all(bits(masks) == bits(watch.masks[FIRST]) for masks in watch.masks[FIRST:])
    assert bits(cheap[0].mask) == bits(cheap[1].mask)


@pytest.mark.parametrize("name", SETTINGS)
def test_with_sup_tickets_a_training_takes_as_many_steps_as_without(name):
    plain = sparse_run(method(name), others=lambda: [Watch()])
    plain.train()
    without = hook(plain, "Watch")
    assert isinstance(without, Watch)
    _, watch, _ = trained(name)
    assert watch.steps == without.steps == list(range(EPOCHS * STEPS))
    assert watch.rates[:FIRST] == without.rates[:FIRST]
    assert watch.rates[FIRST:] != without.rates[FIRST:]


@settings(deadline=None, max_examples=15)
@given(
    name=st.sampled_from(["erk", "set", "rigl"]),
    tickets=st.integers(1, 3),
    cycle=st.integers(1, 2),
    average_by=st.sampled_from(["cia", "caa", "cima", "search"]),
    schedule=st.sampled_from(["triangular", "fge", "swa"]),
)
def test_tickets_are_taken_where_the_rate_is_lowest(name, tickets, cycle, average_by, schedule):
    tickets = max(tickets, 2) if average_by == "search" else tickets
    more: dict[str, Any] = {"beta": 0.5} if average_by == "cima" else {}
    ending = EndingSpec(tickets=tickets, cycle=cycle, average=average_by, schedule=schedule, **more)
    first = (EPOCHS - ending.superposing) * STEPS
    run, watch, cheap = trained(name, ending)
    assert len(cheap) == tickets
    for number, ticket in enumerate(cheap):
        begin = first + number * cycle * STEPS
        rates = watch.rates[begin : begin + cycle * STEPS]
        lowest = begin + int(np.argmin(np.round(rates, 12)))
        assert bits(watch.masks[lowest]) == bits(ticket.mask)
    if average_by == "search":
        with pytest.raises(InputError, match="average is search"):
            average(run)
    else:
        assert state(average(run)) == state(
            superpose(cheap, average_by, cheap[0].kept, ending.beta)
        )


@pytest.mark.parametrize("name", SETTINGS)
def test_a_prefix_and_any_ending_are_one_uninterrupted_run_bit_for_bit(name, tmp_path):
    """The prefix knows nothing of its endings."""
    prefix = sparse_run(method(name), stop=EPOCHS - SUP.superposing)
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    for number, ending in enumerate([SUP, EndingSpec(tickets=1, cycle=1, average="caa")]):
        whole = sparse_run(method(name), ending)
        whole.train()
        rest = whole.again(start=tmp_path / "prefix", state=tmp_path / f"state{number}")
        rest.train()
        assert without_time(rest.trainer.progress.curve) == without_time(
            whole.trainer.progress.curve
        )
        assert bits(rest.model.state_dict()) == bits(whole.model.state_dict())
        assert state(average(rest)) == state(average(whole))
        again = whole.again(state=tmp_path / f"state{number}")  # finished: read back
        again.train()
        assert state(average(again)) == state(average(whole))


def test_a_run_killed_by_the_system_in_the_middle_of_a_cycle_gives_the_same_files(tmp_path):
    """The masks, and the running average with its counts, go on with it."""
    command = [sys.executable, "-m", "tests.lp_core.sparse", tmp_path / "state", tmp_path]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        finished = 0
        # The second cycle has epochs 7 to 10: one ticket has been taken, the next has not.
        while finished < 9:
            assert process.stdout.readline() == f"epoch {finished}\n"
            finished += 1
        time.sleep(np.random.default_rng().uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        finished += len(process.stdout.read().splitlines())
    assert process.returncode == -signal.SIGKILL, f"it ended after {finished} epochs"
    assert not (tmp_path / "average").exists()
    rest = subprocess.check_output(command, cwd=ROOT, text=True)
    assert int(rest.split()[1]) in (finished, finished + 1)
    run = long_run()
    run.train()
    undisturbed = tmp_path / "undisturbed"
    leave(run, undisturbed)
    for file in ("network", "average"):
        same = (tmp_path / file).read_bytes() == (undisturbed / file).read_bytes()
        assert same, f"{file}, killed after {finished} epochs"


def test_a_run_that_diverges_before_its_first_ticket_has_no_average():
    run = sparse_run(method("rigl"), SUP)
    run.rate = lambda _: 1e30
    curve = run.train()
    assert not math.isfinite(curve[-1].loss)
    with pytest.raises(InputError, match="there are no tickets to superpose"):
        average(run)
