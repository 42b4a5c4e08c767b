import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_core.analysis.connectivity import error_barrier

ERRORS = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def test_a_hill_between_two_equal_networks_is_as_high_as_its_top_above_them():
    assert error_barrier([0.1, 0.3, 0.9, 0.3, 0.1]) == pytest.approx(0.8)


def test_a_valley_between_two_equal_networks_is_no_barrier():
    assert error_barrier([0.2, 0.1, 0.2]) == 0


def test_a_slope_has_half_the_difference_of_its_ends():
    assert error_barrier([0.1, 0.2, 0.4]) == pytest.approx(0.15)


@given(ERRORS)
def test_the_barrier_does_not_depend_on_the_direction(errors):
    assert error_barrier(errors) == pytest.approx(error_barrier(errors[::-1]))


@given(ERRORS)
def test_the_barrier_is_never_negative_since_the_path_has_its_ends(errors):
    assert error_barrier(errors) >= 0


@given(ERRORS, st.floats(0, 1))
def test_raising_every_error_alike_leaves_the_barrier(errors, more):
    assert error_barrier([e + more for e in errors]) == pytest.approx(error_barrier(errors))


def test_a_diverged_network_on_the_path_makes_it_nan():
    assert math.isnan(error_barrier([0.1, math.nan, 0.1]))


def test_a_path_without_two_ends_is_an_error():
    with pytest.raises(ValueError, match="1 errors were given"):
        error_barrier([0.5])
