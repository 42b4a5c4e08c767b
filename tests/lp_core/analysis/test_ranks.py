"""Rank correlation: against scipy's, against a plain bootstrap, and where there is none."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lp_core.analysis import rank_correlation

# Few values, so that many are equal; NaN stands for a network that diverged.
NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(-1, 1), st.just(math.nan))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 3)), max_size=30)


def plain(pairs: list[tuple[float, float]]) -> float:
    """Spearman's rho by its definition: each rank is counted."""
    if len(pairs) < 3:
        return math.nan

    def ranks(column: list[float]) -> list[float]:
        return [
            sum(other < x for other in column) + (sum(other == x for other in column) + 1) / 2
            for x in column
        ]

    a, b = (ranks(list(column)) for column in zip(*pairs, strict=True))
    if len(set(a)) == 1 or len(set(b)) == 1:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


@given(PAIRS)
def test_it_is_spearmans_correlation_of_the_pairs_that_are_known(rows):
    rho = rank_correlation(*zip(*rows, strict=True)).rho if rows else math.nan
    known = [(a, b) for a, b, _ in rows if not math.isnan(a + b)]
    assert rho == pytest.approx(plain(known), abs=1e-9, nan_ok=True)
    if not math.isnan(rho):
        a, b = zip(*known, strict=True)
        assert rho == pytest.approx(float(stats.spearmanr(a, b).statistic), abs=1e-9)


def sample(seeds: int, each: int, noise: float) -> tuple[list[float], list[float], list[int]]:
    """Gains that fall with the value, less clearly the more noise; each seed has an own level."""
    generator = np.random.default_rng(seeds)
    values, gains, of = [], [], []
    for seed in range(seeds):
        level = generator.normal()
        for x in generator.normal(size=each):
            values.append(float(x))
            gains.append(float(level - x + noise * generator.normal()))
            of.append(seed)
    return values, gains, of


@pytest.mark.parametrize("seeds", [2, 3])
def test_the_interval_is_that_of_all_draws_of_whole_seeds(seeds):
    """Of few seeds every draw can be listed: the bootstrap's distribution itself."""
    values, gains, of = sample(seeds, 12, 1.0)
    rows = list(zip(values, gains, strict=True))
    groups = [[row for row, s in zip(rows, of, strict=True) if s == seed] for seed in range(seeds)]
    drawn = [
        plain([row for seed in draw for row in groups[seed]])
        for draw in itertools.product(range(seeds), repeat=seeds)
    ]
    found = rank_correlation(values, gains, of)
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


def test_the_interval_is_that_of_a_plain_bootstrap():
    values, gains, of = sample(6, 7, 1.0)
    rows = np.array([values, gains]).T
    generator, drawn = np.random.default_rng(1), []
    for _ in range(2000):
        draw = generator.choice(6, size=6)
        sampled = np.concatenate([rows[np.array(of) == seed] for seed in draw])
        drawn.append(float(stats.spearmanr(*sampled.T).statistic))
    found = rank_correlation(values, gains, of)
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_seeds_are_drawn_whole():
    """Within each seed the order is perfect, over all it is not: single pairs would hide that."""
    values, gains, seeds = sample(6, 20, 0.0)
    levels = rank_correlation(values, gains, seeds)
    alone = rank_correlation(values, gains, list(range(len(values))))
    assert levels.rho == alone.rho
    assert levels.high - levels.low > alone.high - alone.low


def test_of_one_seed_there_is_no_interval():
    found = rank_correlation([1.0, 2.0, 4.0], [3.0, 2.0, 1.0], [7, 7, 7])
    assert found.rho == pytest.approx(-1)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("values", "gains"),
    [
        ([], []),
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [0.5, 0.5, 0.5]),
        ([1.0, 2.0, math.nan], [1.0, 2.0, 3.0]),
    ],
)
def test_where_nothing_is_ordered_there_is_no_correlation(values, gains):
    found = rank_correlation(values, gains, list(range(len(values))))
    assert math.isnan(found.rho)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@given(PAIRS)
def test_equal_arguments_give_equal_intervals_that_lie_in_minus_one_to_one(rows):
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    first, again = rank_correlation(*columns), rank_correlation(*columns)
    assert repr(first) == repr(again)
    if not math.isnan(first.low):
        assert -1 - 1e-9 <= first.low <= first.high <= 1 + 1e-9


def test_lengths_that_differ_are_an_error():
    with pytest.raises(ValueError, match="2 pairs, but 1 seeds"):
        rank_correlation([1.0, 2.0], [1.0, 2.0], [0])


def test_the_stage_of_the_tables_need_not_wait_for_pytorch():
    code = (
        "import sys; from lp_core.analysis import rank_correlation; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
