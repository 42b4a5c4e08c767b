"""The best epoch of a run: its network is the one that a run stopped there leaves."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.training.best import KeepBest
from lp_core.training.curve import Epoch
from lp_core.training.hooks import Hook, Progress
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import TinyRun

EPOCHS = 5
STEPS = 3  # in an epoch


class KilledError(Exception):
    """Stands for the end of the process."""


class Killed(Hook):
    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, progress: Progress) -> None:
        if progress.step == self.step:
            raise KilledError


@pytest.fixture(scope="module")
def run() -> TinyRun:
    """One whose best epoch is not its last: the held-out images are noise, mostly."""
    for noise in range(8):
        run = TinyRun(epochs=EPOCHS, lr=0.5, noise=noise, hooks=lambda: [KeepBest()])
        run.train()
        if kept(run).epoch != EPOCHS - 1:
            return run
    raise AssertionError("all of these runs were best at their end: they show nothing")


def kept(run: TinyRun) -> KeepBest:
    return next(hook for hook in run.trainer.hooks if isinstance(hook, KeepBest))


def test_the_kept_network_is_that_of_a_run_stopped_after_the_best_epoch(run):
    accuracies = [epoch.val_accuracy for epoch in run.trainer.progress.curve]
    best = accuracies.index(max(accuracies))
    stopped = run.again(stop=best + 1, hooks=list)
    stopped.train()
    assert kept(run).epoch == best
    assert kept(run).accuracy == accuracies[best]
    assert bits(kept(run).tensors) == bits(stopped.model.state_dict())


@pytest.mark.parametrize("step", range(1, EPOCHS * STEPS, 2))
def test_a_killed_run_keeps_the_same_network_as_an_undisturbed_one(run, step, tmp_path):
    killed = run.again(state=tmp_path / "state", hooks=lambda: [KeepBest(), Killed(step)])
    with pytest.raises(KilledError):
        killed.train()
    resumed = run.again(state=tmp_path / "state")
    resumed.train()
    assert bits(kept(resumed).tensors) == bits(kept(run).tensors)
    assert (kept(resumed).epoch, kept(resumed).accuracy) == (kept(run).epoch, kept(run).accuracy)


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, math.nan]), min_size=1, max_size=8))
def test_the_first_of_equally_accurate_epochs_is_kept_and_none_of_unknown_accuracy(accuracies):
    model, best = torch.nn.Linear(1, 1), KeepBest()
    progress = Progress(model, None, None, None, None, steps_per_epoch=1)  # type: ignore[arg-type]
    for epoch, accuracy in enumerate(accuracies):
        torch.nn.init.constant_(model.weight, float(epoch))
        progress.curve.append(Epoch(epoch, 0.1, 0.5, 1.0, accuracy, 1.0, 0.0))
        best.after_epoch(progress)
    known = [a for a in accuracies if not math.isnan(a)]
    expected = accuracies.index(max(known)) if known else None
    assert best.epoch == expected
    assert not known or best.tensors["weight"].item() == expected
