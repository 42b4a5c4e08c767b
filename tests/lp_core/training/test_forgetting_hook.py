"""Forgetting events, counted while training."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lp_core.compute_spec import ComputeSpec, Precision
from lp_core.data.epoch import Batch
from lp_core.training.distributed import Workers
from lp_core.training.forgetting import Forgetting
from lp_core.training.hooks import Hook, Progress
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import TRAINING_IMAGES, TinyRun
from tests.lp_core.training.forgetting_recounted import Count, Predictions, Seen, recount

CLASSES = 3


class KilledError(Exception):
    """Stands for the end of the process."""


class Killed(Hook):
    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, progress: Progress) -> None:
        if progress.step == self.step:
            raise KilledError


def fed(epochs: list[list[Seen]], samples: int, batch_size: int = 3) -> Forgetting:
    """The hook after epochs whose batches predict what `epochs` say, in that order."""
    hook = Forgetting(samples)
    progress = _progress()
    for epoch in epochs:
        for start in range(0, len(epoch), batch_size):
            share = epoch[start : start + batch_size]
            labels = torch.tensor([one.sample % CLASSES for one in share])
            predicted = (labels + torch.tensor([not one.right for one in share])) % CLASSES
            progress.batch = Batch(
                torch.empty(0), labels, torch.tensor([one.sample for one in share])
            )
            progress.logits = torch.nn.functional.one_hot(predicted, CLASSES).float()
            hook.after_backward(progress)
        hook.after_epoch(progress)
    return hook


def counted(hook: Forgetting) -> Count:
    events, learned, presented = hook.events, hook.learned, hook.presented
    return Count(events.tolist(), learned.tolist(), presented.tolist(), hook.by_epoch)


def test_a_sequence_by_hand_is_counted_as_by_hand():
    """Sample 0 is learned, forgotten, learned, forgotten; 1 is never learned; 2 is learned late and
    stays; 3 misses the epoch in which it would have been forgotten, and is forgotten in the next;
    4 is never presented."""
    by_sample = {0: "+-+-", 1: "----", 2: "--++", 3: "+ -+"}
    epochs = [
        [Seen(e, s, row[e] == "+") for s, row in by_sample.items() if row[e] != " "]
        for e in range(4)
    ]
    hook = fed(epochs, samples=5)
    assert hook.events.tolist() == [2, 0, 0, 1, 0]
    assert hook.learned.tolist() == [True, False, True, True, False]
    assert hook.presented.tolist() == [4, 4, 4, 3, 0]
    assert hook.by_epoch == [0, 1 / 3, 1 / 4, 1 / 4]
    assert (hook.events.dtype, hook.learned.dtype) == (torch.int32, torch.bool)


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[list[Seen]], int]:
    samples = draw(st.integers(1, 6))
    epochs = []
    for epoch in range(draw(st.integers(1, 6))):
        order = draw(st.permutations(range(samples)))
        order = order[: draw(st.integers(1, samples))]
        epochs.append([Seen(epoch, sample, draw(st.booleans())) for sample in order])
    return epochs, samples


@settings(max_examples=200, deadline=None)
@given(sequences(), st.integers(1, 4))
def test_any_sequence_is_counted_as_sample_by_sample(sequence, batch_size):
    epochs, samples = sequence
    seen = [one for epoch in epochs for one in epoch]
    assert counted(fed(epochs, samples, batch_size)) == recount(seen, samples)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_in_a_real_training_the_count_is_that_of_the_saved_predictions(precision):
    run = _run(precision=precision)
    run.train()
    predictions, hook = _hooks_of(run)
    expected = recount(predictions.seen, TRAINING_IMAGES)
    assert counted(hook) == expected
    assert sum(expected.events) > 10, "hardly anything was forgotten: this shows nothing"
    assert set(expected.presented) == {run.epochs}


def test_counting_changes_nothing_of_the_training():
    plain, counting = _run(), _run()
    plain.hooks = list
    plain.train()
    counting.train()
    assert bits(plain.model.state_dict()) == bits(counting.model.state_dict())


@pytest.mark.parametrize("step", [1, 4, 10, 13])
def test_a_killed_run_goes_on_counting_where_its_last_epoch_ended(step, tmp_path):
    whole = _run()
    whole.train()
    killed = whole.again(state=tmp_path / "state", hooks=lambda: [*_hooks(), Killed(step)])
    with pytest.raises(KilledError):
        killed.train()
    resumed = whole.again(state=tmp_path / "state")
    resumed.train()
    (_, hook), (_, undisturbed) = _hooks_of(resumed), _hooks_of(whole)
    assert json.dumps(_values(hook)) == json.dumps(_values(undisturbed))
    assert bits(_tensors(hook)) == bits(_tensors(undisturbed))


def test_the_predictions_of_a_diverged_network_are_wrong():
    hook = fed([[Seen(0, 0, True)]], samples=1)
    progress = _progress()
    progress.batch = Batch(torch.empty(0), torch.tensor([0]), torch.tensor([0]))
    progress.logits = torch.full((1, CLASSES), torch.nan)
    hook.after_backward(progress)
    hook.after_epoch(progress)
    assert hook.events.tolist() == [1]


def test_what_was_counted_does_not_change_as_the_training_goes_on():
    hook = fed([[Seen(0, 0, True)]], samples=1)
    before = hook.forgotten
    hook.events += 1
    hook.learned.logical_not_()
    assert (before.events.tolist(), before.learned.tolist()) == ([0], [True])


def _progress() -> Progress:
    """Of which the hook looks at the batch, the logits and the workers."""
    return Progress(None, None, None, None, Workers(), steps_per_epoch=1)  # type: ignore[arg-type]


def _hooks() -> list[Hook]:
    return [Predictions(), Forgetting(TRAINING_IMAGES)]


def _run(precision: Precision = "fp32") -> TinyRun:
    """One that learns, and so fast that it forgets."""
    compute = ComputeSpec("cpu", precision, channels_last=True, threads=1)
    return TinyRun(epochs=5, lr=0.2, compute=compute, hooks=_hooks)


def _hooks_of(run: TinyRun) -> tuple[Predictions, Forgetting]:
    predictions, hook = run.trainer.hooks[:2]
    assert isinstance(predictions, Predictions)
    assert isinstance(hook, Forgetting)
    return predictions, hook


def _tensors(hook: Hook) -> dict[str, Tensor]:
    return {k: v for k, v in hook.state_dict().items() if isinstance(v, Tensor)}


def _values(hook: Hook) -> dict[str, object]:
    return {k: v for k, v in hook.state_dict().items() if not isinstance(v, Tensor)}
