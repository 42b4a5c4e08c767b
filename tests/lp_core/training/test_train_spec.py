"""A schedule must fit into the training that it is for."""

import pytest

from lp_core.data.augment_spec import AugmentSpec
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec


def _train(epochs, **schedule):
    return TrainSpec(epochs, 16, 0.9, 5e-4, Schedule(0.1, **schedule), AugmentSpec())


@pytest.mark.parametrize("drops", [[4, 6], [1, 3], [3]])
def test_a_drop_that_training_never_reaches_is_refused(drops):
    with pytest.raises(ValueError, match="training ends after epochs 3; give earlier") as error:
        _train(3, drops=drops)
    assert str(error.value).startswith(f"schedule.drops is {drops}, but")


@pytest.mark.parametrize("kind", ["step", "cosine", "constant"])
def test_a_warm_up_without_end_is_refused(kind):
    with pytest.raises(ValueError, match="training ends after epochs 3; give less") as error:
        _train(3, kind=kind, warmup=3.0)
    assert str(error.value).startswith("schedule.warmup is 3.0, but")


def test_a_drop_in_the_last_epoch_and_a_warm_up_until_then_are_fine():
    assert _train(3, drops=[1, 2]).schedule.drops == [1, 2]
    assert _train(3, kind="cosine", warmup=2.5).schedule.warmup == 2.5
