"""Learning rates are those that the papers' schedules state, at any point of a run."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_core.training.schedules import Schedule, learning_rate, superposing_lr

rates = st.floats(1e-4, 10)
EPOCHS = 30

schedules = st.one_of(
    st.builds(
        Schedule,
        lr=rates,
        kind=st.just("step"),
        drops=st.sets(st.integers(5, EPOCHS - 1), max_size=3).map(sorted),
        gamma=st.floats(0.05, 1),
        warmup=st.floats(0, 4),
    ),
    st.builds(
        Schedule, lr=rates, kind=st.sampled_from(["cosine", "constant"]), warmup=st.floats(0, 4)
    ),
)


def test_lottery_pools_on_cifar_drops_at_91_and_136() -> None:
    schedule = Schedule(lr=0.1, drops=[91, 136])
    expected = {0: 0.1, 9: 0.1, 90.99: 0.1, 91: 0.01, 135.99: 0.01, 136: 0.001, 182: 0.001}
    for epoch, rate in expected.items():
        assert learning_rate(schedule, epoch, 182) == pytest.approx(rate)


def test_lottery_pools_on_imagenet_warms_up_for_5_epochs() -> None:
    schedule = Schedule(lr=0.4, drops=[30, 60, 80], warmup=5)
    expected = {0: 0, 1: 0.08, 2.5: 0.2, 5: 0.4, 29: 0.4, 30: 0.04, 60: 0.004, 80: 0.0004}
    for epoch, rate in expected.items():
        assert learning_rate(schedule, epoch, 90) == pytest.approx(rate)


@given(schedules, st.integers(1, 400))
def test_rate_never_leaves_its_range_and_falls_after_the_warm_up(
    schedule: Schedule, steps: int
) -> None:
    times = [step / steps * EPOCHS for step in range(steps + 1)]
    values = [learning_rate(schedule, time, EPOCHS) for time in times]
    assert all(0 <= value <= schedule.lr * (1 + 1e-12) for value in values)
    warm = [value for time, value in zip(times, values, strict=True) if time < schedule.warmup]
    assert warm == sorted(warm)
    after = values[len(warm) :]
    assert after == sorted(after, reverse=True)


@given(rates, st.floats(0, 9))
def test_cosine_falls_by_half_in_half_the_time_after_the_warm_up(lr: float, warmup: float) -> None:
    schedule = Schedule(lr=lr, kind="cosine", warmup=warmup)
    assert learning_rate(schedule, warmup, EPOCHS) == pytest.approx(lr)
    assert learning_rate(schedule, (warmup + EPOCHS) / 2, EPOCHS) == pytest.approx(lr / 2)
    assert learning_rate(schedule, EPOCHS, EPOCHS) == pytest.approx(0, abs=1e-12)
    quarter = warmup + (EPOCHS - warmup) / 4
    assert learning_rate(schedule, quarter, EPOCHS) == pytest.approx(lr * (0.5 + math.sqrt(2) / 4))


@given(st.integers(1, 2000), st.integers(1, 100))
def test_a_drop_holds_from_the_first_iteration_of_its_epoch(steps: int, drop: int) -> None:
    schedule = Schedule(lr=1.0, drops=[drop])
    first = drop * steps
    assert learning_rate(schedule, (first - 1) / steps, 101) == 1.0
    assert learning_rate(schedule, first / steps, 101) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"lr": 0.1, "kind": "linear"}, "kind is 'linear'.*step, cosine, constant"),
        ({"lr": 0.1, "gamma": 0.0}, "gamma is 0.0"),
        ({"lr": 0.1, "warmup": -1.0}, "warmup is -1.0"),
        ({"lr": 0.1, "drops": [5, 5]}, r"drops is \[5, 5\].*ascending"),
        ({"lr": 0.1, "drops": [0, 5]}, "drops begins at epoch 0"),
        ({"lr": 0.1, "drops": [5, 9], "warmup": 5.0}, "warmup lasts 5.0 epochs"),
        ({"lr": 0.1, "kind": "cosine", "drops": [5]}, r"drops is \[5\], but a cosine"),
    ],
)
def test_impossible_schedules_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**settings)


def test_times_outside_the_run_are_refused() -> None:
    schedule = Schedule(lr=0.1)
    for epoch in (-0.1, 10.1, math.nan):
        with pytest.raises(ValueError, match="must lie in 0 … 10"):
            learning_rate(schedule, epoch, 10)
    with pytest.raises(ValueError, match="a cosine of 5 epochs needs less"):
        learning_rate(Schedule(lr=0.1, kind="cosine", warmup=5.0), 0, 5)


def equation_3(i: int, C: int, a1: float, a2: float) -> float:
    t = ((i - 1) % C + 1) / C
    if 0 < t <= 1 / 2:
        return (1 - 2 * t) * a1 + 2 * t * a2
    return (2 - 2 * t) * a2 + (2 * t - 1) * a1


@given(st.integers(1, 5000), st.integers(1, 800), rates, rates)
def test_superposing_rate_is_equation_3(i: int, cycle: int, lr1: float, lr2: float) -> None:
    assert superposing_lr(i, cycle, lr1, lr2) == pytest.approx(equation_3(i, cycle, lr1, lr2))


@given(st.integers(1, 400), st.integers(1, 9), rates, rates)
def test_a_cheap_ticket_is_taken_at_the_first_rate(
    half: int, number: int, lr1: float, lr2: float
) -> None:
    cycle = 2 * half
    assert superposing_lr(number * cycle, cycle, lr1, lr2) == lr1
    assert superposing_lr(number * cycle - half, cycle, lr1, lr2) == lr2


@given(st.integers(1, 200), st.integers(1, 200))
def test_superposing_rate_is_a_triangle_repeated_each_cycle(half: int, offset: int) -> None:
    cycle = 2 * half
    offset = min(offset, cycle)
    rate = superposing_lr(offset, cycle, 0.001, 0.005)
    assert rate == pytest.approx(superposing_lr(offset + cycle, cycle, 0.001, 0.005))
    if offset < cycle:
        assert rate == pytest.approx(superposing_lr(cycle - offset, cycle, 0.001, 0.005))
    height = 1 - abs(offset - half) / half
    assert rate == pytest.approx(0.001 + 0.004 * height)


def test_superposing_counts_from_1() -> None:
    for iteration, cycle in [(0, 8), (1, 0)]:
        with pytest.raises(ValueError, match="both count from 1"):
            superposing_lr(iteration, cycle, 0.001, 0.005)
