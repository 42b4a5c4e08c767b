"""A schedule must fit into the training that it is for; its two seeds are settable apart."""

import subprocess
import sys

import pytest

from lp_core.data.augment_spec import AugmentSpec
from lp_core.training.schedules import Schedule
from lp_core.training.spec import TrainSpec


def _train(epochs, init=None, noise=None, **schedule):
    return TrainSpec(
        epochs, 16, 0.9, 5e-4, Schedule(0.1, **schedule), AugmentSpec(), 1, init, noise
    )


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


@pytest.mark.parametrize(
    ("init", "noise", "expected"),
    [(None, None, (7, 7)), (0, None, (0, 7)), (None, 0, (7, 0)), (3, 2**63 - 1, (3, 2**63 - 1))],
)
def test_a_seed_that_is_not_set_is_the_runs_entry_of_seeds(init, noise, expected):
    assert _train(3, init=init, noise=noise).seeds(7) == expected


@pytest.mark.parametrize("name", ["init", "noise"])
@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_generator_takes_is_refused(name, seed):
    with pytest.raises(ValueError, match=f"^{name} is {seed}; give 0 or more"):
        _train(3, **{name: seed})


def test_what_params_say_of_a_training_is_checked_without_pytorch():
    code = (
        "import lp_core.training.spec, lp_core.compute_spec, sys;"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
