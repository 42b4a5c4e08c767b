"""Hooks: when they are called, what they see, and that their state goes on with the run."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.compute_spec import ComputeSpec
from lp_core.training.hooks import Hook, Progress
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import TRAINING_IMAGES, TinyRun, plain_network, without_time
from tests.lp_core.training.toy_hooks import Forgetting, PruneAndGrow, RunningAverage, every

EPOCHS = 4
STEPS = 3  # in an epoch


class KilledError(Exception):
    """Stands for the end of the process."""


class Killed(Hook):
    """Ends the run at one of its points."""

    def __init__(self, point: str, step: int) -> None:
        setattr(self, point, self._kill)
        self.step = step

    def _kill(self, progress: Progress) -> None:
        if progress.step >= self.step:
            raise KilledError


def result(run: TinyRun) -> list[object]:
    """All that a run leaves behind, but for its times."""
    states = [hook.state_dict() for hook in run.trainer.hooks if not isinstance(hook, Killed)]
    tensors = [{k: v for k, v in s.items() if isinstance(v, torch.Tensor)} for s in states]
    values = [{k: v for k, v in s.items() if not isinstance(v, torch.Tensor)} for s in states]
    model, masks = run.model.state_dict(), dict(run.trainer.progress.masks)
    return [without_time(run.trainer.progress.curve), bits(model), bits(masks), values] + [
        bits(state) for state in tensors
    ]


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def undisturbed(request: pytest.FixtureRequest) -> TinyRun:
    compute = ComputeSpec("cpu", request.param, channels_last=True, threads=1)
    run = TinyRun(epochs=EPOCHS, compute=compute, hooks=every)
    run.train()
    return run


@pytest.mark.parametrize("make", [PruneAndGrow, RunningAverage, Forgetting])
def test_a_killed_run_goes_on_with_its_hooks_state_bit_for_bit(make, tmp_path):
    run = TinyRun(epochs=EPOCHS, hooks=lambda: [make()])
    run.train()
    killed = run.again(
        state=tmp_path / "state", hooks=lambda: [make(), Killed("after_step", 2 * STEPS + 1)]
    )
    with pytest.raises(KilledError):
        killed.train()
    resumed = run.again(state=tmp_path / "state")
    resumed.train()
    assert len(killed.trainer.progress.curve) == 2
    assert result(resumed) == result(run)


def test_so_does_one_with_all_of_them_killed_at_any_point(undisturbed, tmp_path_factory):
    @settings(deadline=None, max_examples=6)
    @given(
        step=st.integers(0, STEPS * EPOCHS - 1),
        point=st.sampled_from(["before_step", "after_backward", "after_step", "after_epoch"]),
    )
    def check(step: int, point: str) -> None:
        state = tmp_path_factory.mktemp("state") / "state"
        killed = undisturbed.again(state=state, hooks=lambda: [*every(), Killed(point, step)])
        with pytest.raises(KilledError):
            killed.train()
        resumed = undisturbed.again(state=state)
        resumed.train()
        assert result(resumed) == result(undisturbed)

    check()


def test_every_hook_of_the_toy_has_done_something(undisturbed):
    grow, average, forgetting = undisturbed.trainer.hooks
    assert grow.updates == EPOCHS * STEPS // 2
    assert average.count == EPOCHS
    assert len(forgetting.seen) == EPOCHS * STEPS
    first_epoch = {index for indices in forgetting.seen[:STEPS] for index in indices}
    assert first_epoch == set(range(TRAINING_IMAGES))
    assert forgetting.forgotten.sum() > 0
    masks = undisturbed.trainer.progress.masks
    assert any(not torch.equal(masks[name], undisturbed.mask[name]) for name in masks)
    assert all(masks[name].sum() == undisturbed.mask[name].sum() for name in masks)
    for name, kept in masks.items():
        assert not undisturbed.model.get_parameter(name)[~kept].any()


class Notes(Hook):
    """What a run shows at each point."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, int, int]] = []

    def before_step(self, progress: Progress) -> None:
        assert progress.batch.images.shape == (16, 3, 8, 8)
        assert progress.steps_per_epoch == STEPS
        self._note("before_step", progress)

    def after_backward(self, progress: Progress) -> None:
        images, labels, _ = progress.batch
        with torch.no_grad():
            logits = progress.model(images)
            assert torch.equal(progress.logits, logits)
            assert progress.loss == torch.nn.functional.cross_entropy(logits, labels)
        assert all(p.grad is not None and p.grad.any() for p in progress.model.parameters())
        assert progress.lr == 0.01
        self.before = [p.detach().clone() for p in progress.model.parameters()]
        self._note("after_backward", progress)

    def after_step(self, progress: Progress) -> None:
        after = list(progress.model.parameters())
        assert not any(torch.equal(a, b) for a, b in zip(self.before, after, strict=True))
        self._note("after_step", progress)

    def after_epoch(self, progress: Progress) -> None:
        assert progress.curve[-1].epoch == progress.epoch
        self._note("after_epoch", progress)

    def _note(self, point: str, progress: Progress) -> None:
        self.notes.append((point, progress.epoch, progress.step))


def test_a_hook_is_called_at_its_four_points_and_sees_the_step_as_it_is():
    run = TinyRun(epochs=2, network=plain_network, hooks=lambda: [Notes()], rate=lambda _: 0.01)
    run.train()
    points = ["before_step", "after_backward", "after_step"]
    expected = []
    for epoch in range(2):
        steps = range(epoch * STEPS, (epoch + 1) * STEPS)
        expected += [(point, epoch, step) for step in steps for point in points]
        expected.append(("after_epoch", epoch, steps[-1]))
    (hook,) = run.trainer.hooks
    assert isinstance(hook, Notes)
    assert hook.notes == expected


def test_hooks_that_do_nothing_change_nothing():
    run, hooked = TinyRun(), TinyRun(hooks=lambda: [Hook()])
    assert without_time(run.train()) == without_time(hooked.train())
    assert bits(run.model.state_dict()) == bits(hooked.model.state_dict())


def test_forgetting_counts_what_a_count_over_saved_predictions_gives():
    predictions: list[tuple[list[int], list[bool]]] = []

    class Saved(Hook):
        def after_step(self, progress: Progress) -> None:
            correct = progress.logits.argmax(1) == progress.batch.labels
            predictions.append((progress.batch.indices.tolist(), correct.tolist()))

    run = TinyRun(epochs=6, hooks=lambda: [Forgetting(), Saved()])
    run.train()
    history: dict[int, list[bool]] = {index: [] for index in range(TRAINING_IMAGES)}
    for indices, correct in predictions:
        for index, right in zip(indices, correct, strict=True):
            history[index].append(right)
    assert all(len(answers) == 6 for answers in history.values())
    expected = [sum(a and not b for a, b in pairwise(answers)) for answers in history.values()]
    hook = run.trainer.hooks[0]
    assert isinstance(hook, Forgetting)
    assert hook.forgotten.tolist() == expected


def test_two_hooks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="names of their own"):
        TinyRun(hooks=lambda: [Forgetting(), Forgetting()]).train()


class Asks(Hook):
    """For dense gradients, twice, at every second step."""

    def __init__(self) -> None:
        self.dense_steps: list[int] = []

    def after_backward(self, progress: Progress) -> None:
        if progress.step % 2:
            gradients = progress.dense_gradients()
            assert list(gradients) == list(progress.masks)
            assert gradients.keys() == progress.dense_gradients().keys()
            assert all(gradients[name][~kept].any() for name, kept in progress.masks.items())

    def after_step(self, progress: Progress) -> None:
        self.dense_steps.append(progress.dense_steps)
        for name, kept in progress.masks.items():
            parameter = progress.model.get_parameter(name)
            assert parameter.grad is not None
            assert not parameter.grad[~kept].any()
            assert not progress.optimizer.momenta[parameter][~kept].any()


def test_steps_that_ask_for_dense_gradients_are_counted_and_the_optimiser_sees_none():
    run = TinyRun(epochs=2, hooks=lambda: [Asks()])
    run.train()
    (hook,) = run.trainer.hooks
    assert isinstance(hook, Asks)
    assert hook.dense_steps == [0, 1, 1, 2, 2, 3]


class Writes(Hook):
    """Into weights outside the masks, at every point."""

    @torch.no_grad()
    def _write(self, progress: Progress) -> None:
        for name in progress.masks:
            parameter = progress.model.get_parameter(name)
            parameter.add_(1.0)

    before_step = after_backward = after_step = after_epoch = _write


class Looks(Hook):
    """That they are zero at each point all the same."""

    def _look(self, progress: Progress) -> None:
        for name, kept in progress.masks.items():
            assert not progress.model.get_parameter(name)[~kept].any()

    before_step = after_backward = after_step = after_epoch = _look


def test_whatever_a_hook_writes_weights_outside_the_masks_are_zero_for_the_next():
    run = TinyRun(epochs=2, hooks=lambda: [Writes(), Looks()])
    run.train()
    Looks()._look(run.trainer.progress)
