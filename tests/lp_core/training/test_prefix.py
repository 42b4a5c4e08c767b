"""A run may be cut in two: the state after some epochs is a file that others start from."""

import pytest

from lp_core.errors import MissingInputError
from lp_core.training.curve import Epoch
from lp_core.training.resume import StateError
from lp_core.training.schedules import superposing_lr
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import TinyRun, plain_network, without_time
from tests.lp_core.training.toy_hooks import Forgetting, PruneAndGrow, RunningAverage, every

EPOCHS, CUT, STEPS = 5, 3, 3


def ending_rate(step: int) -> float:
    """The plain rate until the cut, cycles from there on."""
    if step < CUT * STEPS:
        return 0.05
    return superposing_lr(step - CUT * STEPS + 1, STEPS, 0.01, 0.05)


def same(run: TinyRun, expected: TinyRun) -> bool:
    progress, wanted = run.trainer.progress, expected.trainer.progress
    return (
        without_time(progress.curve) == without_time(wanted.curve)
        and bits(run.model.state_dict()) == bits(expected.model.state_dict())
        and bits(dict(progress.masks)) == bits(dict(wanted.masks))
    )


@pytest.mark.parametrize("hooks", [list, every], ids=["plain", "hooks"])
def test_prefix_and_ending_are_one_uninterrupted_run_bit_for_bit(hooks, tmp_path):
    whole = TinyRun(epochs=EPOCHS, rate=ending_rate, hooks=hooks)
    whole.train()
    prefix = whole.again(stop=CUT, rate=lambda _: 0.05)
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    ending = whole.again(start=tmp_path / "prefix")
    ending.train()
    assert same(ending, whole)


def test_an_ending_may_have_hooks_that_the_prefix_had_not_and_the_other_way_round(tmp_path):
    """The prefix grows and prunes; one ending goes on with it and averages, one does neither."""
    prefix = TinyRun(epochs=EPOCHS, stop=CUT, hooks=lambda: [PruneAndGrow(), Forgetting()])
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    masks = bits(dict(prefix.trainer.progress.masks))
    start = {"stop": None, "start": tmp_path / "prefix"}
    plain = prefix.again(**start, hooks=list)
    assert [epoch.epoch for epoch in plain.train()] == list(range(EPOCHS))
    assert bits(dict(plain.trainer.progress.masks)) == masks != bits(prefix.mask)
    averaged = prefix.again(**start, hooks=lambda: [PruneAndGrow(), RunningAverage()])
    averaged.train()
    grow, average = averaged.trainer.hooks
    assert isinstance(grow, PruneAndGrow)
    assert isinstance(average, RunningAverage)
    assert (grow.updates, average.count) == (EPOCHS * STEPS // 2, EPOCHS - CUT)


def test_forks_of_a_prefix_differ_in_their_noise_alone(tmp_path):
    prefix = TinyRun(epochs=EPOCHS, stop=CUT)
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    forks = [prefix.again(stop=None, start=tmp_path / "prefix", noise=n) for n in (0, 1, 1)]
    curves = [without_time(fork.train()) for fork in forks]
    assert curves[0][:CUT] == curves[1][:CUT]
    assert not same(forks[0], forks[1])
    assert same(forks[1], forks[2])


def test_an_ending_that_was_killed_goes_on_from_its_own_state(tmp_path):
    whole = TinyRun(epochs=EPOCHS, hooks=every)
    whole.train()
    prefix = whole.again(stop=CUT)
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    ending = whole.again(start=tmp_path / "prefix", state=tmp_path / "state")
    ending.again(stop=CUT + 1).train()
    told: list[Epoch] = []
    resumed = ending.again(on_epoch=told.append)
    resumed.train()
    assert [epoch.epoch for epoch in told] == [EPOCHS - 1]
    assert same(resumed, whole)


def test_the_file_of_a_prefix_is_that_of_the_last_epochs_state(tmp_path):
    run = TinyRun(state=tmp_path / "state", hooks=every)
    run.train()
    run.trainer.save(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == (tmp_path / "state").read_bytes()


def test_to_start_from_a_file_that_is_not_there_or_damaged_or_another_networks_is_an_error(
    tmp_path,
):
    path = tmp_path / "prefix"
    with pytest.raises(MissingInputError, match="prefix: no such state of a run"):
        TinyRun(start=path).train()
    path.write_text("no state")
    with pytest.raises(StateError, match="prefix: not the state of a run"):
        TinyRun(start=path).train()
    other = TinyRun(network=plain_network, epochs=1)
    other.train()
    other.trainer.save(path)
    run = TinyRun(start=path)
    before = bits(run.model.state_dict())
    with pytest.raises(StateError, match="prefix: the state of another network"):
        run.train()
    after = bits(run.model.state_dict())
    kept = [name for name in before if name not in run.mask]
    assert all(after[name] == before[name] for name in kept)
