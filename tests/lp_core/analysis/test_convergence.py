import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.analysis.convergence import convergence_speed
from lp_core.errors import InputError

ERRORS = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def _equation_4(errors: list[float]) -> float:
    """As it is printed: a mean over the epochs of quotients."""
    epochs = len(errors) - 1
    total = 0.0
    for epoch in range(1, epochs + 1):
        total += (errors[0] - errors[epoch]) / (errors[0] - errors[epochs])
    return total / epochs


@settings(deadline=None)
@given(ERRORS)
def test_it_is_equation_4(errors):
    speed = convergence_speed(errors)
    if errors[-1] >= errors[0]:
        assert math.isnan(speed)
    elif errors[0] - errors[-1] > 1e-6:
        assert speed == pytest.approx(_equation_4(errors), abs=1e-6)


def test_a_training_that_is_done_after_an_epoch_has_speed_one():
    assert convergence_speed([0.9, 0.1, 0.1, 0.1]) == pytest.approx(1)


def test_one_that_learns_in_its_last_epoch_alone_has_one_over_the_epochs():
    assert convergence_speed([0.9, 0.9, 0.9, 0.1]) == pytest.approx(1 / 3)


@settings(deadline=None)
@given(ERRORS, st.floats(0.1, 0.9))
def test_it_does_not_depend_on_how_much_is_learned(errors, scale):
    if errors[0] - errors[-1] > 1e-3:
        scaled = [error * scale for error in errors]
        assert convergence_speed(scaled) == pytest.approx(convergence_speed(errors))


@pytest.mark.parametrize(
    "errors", [[0.5, 0.5], [0.5, 0.1, 0.6], [math.nan, 0.1], [0.9, math.nan, 0.1], [0.9, math.nan]]
)
def test_where_nothing_was_learned_or_a_run_diverged_there_is_no_speed(errors):
    assert math.isnan(convergence_speed(errors))


def test_without_an_epoch_there_is_nothing_to_measure():
    with pytest.raises(InputError, match="1 errors were given"):
        convergence_speed([0.5])
