"""The learning rate of cycles, and where their tickets are taken."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_core.superposing.rates import fge_lr, rate, swa_lr, ticket_iteration
from lp_core.superposing.spec import EndingSpec
from lp_core.training.schedules import superposing_lr

LR1, LR2 = 0.001, 0.005
cycles = st.integers(1, 3000)


def exact(schedule: str, i: int, cycle: int) -> Fraction:
    """The three rules in exact arithmetic."""
    t = Fraction((i - 1) % cycle + 1, cycle)
    lr1, lr2 = Fraction(LR1), Fraction(LR2)
    if schedule == "swa":
        return (1 - t) * lr2 + t * lr1
    if schedule == "fge":
        lr1, lr2 = lr2, lr1
    if t <= Fraction(1, 2):
        return (1 - 2 * t) * lr1 + 2 * t * lr2
    return (2 - 2 * t) * lr2 + (2 * t - 1) * lr1


def lr_of(schedule: str, i: int, cycle: int) -> float:
    function = {"triangular": superposing_lr, "fge": fge_lr, "swa": swa_lr}[schedule]
    return function(i, cycle, LR1, LR2)


schedules = st.sampled_from(["triangular", "fge", "swa"])


@given(schedules, st.integers(1, 9000), cycles)
def test_rates_are_those_of_exact_arithmetic(schedule, i, cycle):
    assert lr_of(schedule, i, cycle) == pytest.approx(float(exact(schedule, i, cycle)), rel=1e-14)


@given(cycles, st.integers(1, 9))
def test_equation_3_is_exact_to_the_last_digit_at_its_corners(half, number):
    cycle = 2 * half
    assert superposing_lr(number * cycle, cycle, LR1, LR2) == LR1
    assert superposing_lr(number * cycle - half, cycle, LR1, LR2) == LR2
    assert superposing_lr(number * half, half, LR1, LR2) == LR1  # of any length, odd ones too
    # A cycle begins one iteration's rise above the lowest rate: t(1) is 1/C.
    first = superposing_lr((number - 1) * cycle + 1, cycle, LR1, LR2)
    assert first == pytest.approx(float(exact("triangular", 1, cycle)), rel=4e-16)


@given(schedules, st.integers(1, 300))
def test_a_cheap_ticket_is_taken_where_the_rate_is_lowest(schedule, cycle):
    rates = [exact(schedule, i, cycle) for i in range(1, cycle + 1)]
    at = ticket_iteration(schedule, cycle)
    assert rates[at - 1] == min(rates)
    if cycle % 2 == 0 or schedule != "fge":
        assert lr_of(schedule, at, cycle) == LR1


def test_fge_and_swa_fall_from_the_highest_rate():
    assert [fge_lr(i, 4, 1.0, 3.0) for i in range(1, 9)] == [2, 1, 2, 3, 2, 1, 2, 3]
    assert [swa_lr(i, 4, 1.0, 3.0) for i in range(1, 9)] == [2.5, 2, 1.5, 1, 2.5, 2, 1.5, 1]
    with pytest.raises(ValueError, match="both count from 1"):
        swa_lr(0, 4, 1.0, 3.0)


@pytest.mark.parametrize("schedule", ["triangular", "fge", "swa"])
def test_the_plain_rate_holds_until_the_first_cycle(schedule):
    spec = EndingSpec(tickets=2, cycle=3, schedule=schedule)
    rates = rate(spec, 20, 5, lambda step: 100.0 + step)
    assert [rates(step) for step in range(20)] == [100.0 + step for step in range(20)]
    expected = [lr_of(schedule, i, 15) for i in range(1, 31)]
    assert [rates(step) for step in range(20, 50)] == expected


def test_a_plain_ending_has_the_plain_rate_throughout():
    rates = rate(EndingSpec(tickets=0), 10, 5, lambda step: 100.0 + step)
    assert rates(30) == 130.0
