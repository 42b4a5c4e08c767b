"""The report's sentences follow the numbers, those on rewinding above all."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.reporting.imp_pool.headline import p_value, p_with_remark
from tasks.reporting.imp_pool.rewinding import apart_by_chance, effect, rewinding, verdict
from tests.tasks.reporting.made import Made, results

shares = st.floats(0, 1)
seeds = st.lists(shares, min_size=1, max_size=4)


@given(seeds, seeds)
def test_an_effect_needs_half_a_point_and_seeds_that_do_not_overlap(rewound, straight):
    apart = sum(rewound) / len(rewound) - sum(straight) / len(straight)
    expected = "none"
    if abs(apart) >= 0.005 and all(r > o for r, o in itertools.product(rewound, straight)):
        expected = "visible"
    if abs(apart) >= 0.005 and all(r < o for r, o in itertools.product(rewound, straight)):
        expected = "reversed"
    assert effect(rewound, straight, more_is_better=True) == expected


@given(seeds, seeds)
def test_what_is_better_decides_the_direction_alone(rewound, straight):
    turned = {"visible": "reversed", "reversed": "visible", "none": "none"}
    less = effect(rewound, straight, more_is_better=False)
    assert turned[effect(rewound, straight, more_is_better=True)] == less
    assert effect(straight, rewound, more_is_better=True) == less


@given(st.integers(1, 5), st.integers(1, 5))
def test_chance_keeps_apart_as_many_seeds_as_counting_all_orders_finds(first, second):
    orders = list(itertools.combinations(range(first + second), first))
    # The places of the ones in a row of all: they are together at one of its ends.
    apart = [o for o in orders if o[-1] == first - 1 or o[0] == second]
    assert apart_by_chance(first, second) == pytest.approx(len(apart) / len(orders))


@pytest.mark.parametrize(
    ("barriers", "averages", "words"),
    [
        (
            "visible",
            "visible",
            "between neighbours and in the averages of neighbours.",
        ),
        (
            "visible",
            "none",
            "visible in the barriers between neighbours, but not in the averages",
        ),
        ("none", "visible", "visible in the averages of neighbours, but not in the barriers"),
        ("visible", "reversed", "but the averages of neighbours point the other way"),
        ("none", "none", "is not visible here."),
        (
            "none",
            "reversed",
            "does not help here: the averages of neighbours are better",
        ),
    ],
)
def test_the_verdict_says_what_was_seen(barriers, averages, words):
    assert words in verdict(barriers, averages)


@given(
    st.sampled_from(["visible", "reversed", "none"]),
    st.sampled_from(["visible", "reversed", "none"]),
)
def test_the_verdict_denies_what_neither_measure_shows(barriers, averages):
    sentence = verdict(barriers, averages)
    denied = "is not visible here" in sentence or "does not help here" in sentence
    assert denied is ("visible" not in (barriers, averages))


def test_a_p_value_is_rounded_and_never_zero():
    assert p_value(0.0) == "p < 0.001"
    assert p_value(0.0321) == "p = 0.032"
    assert p_value(math.nan) == "p is undefined"


@given(shares)
def test_a_p_value_is_called_too_small_only_where_it_is_small(p):
    assert ("too small a value" in p_with_remark(p)) is (p < 0.05)


@pytest.mark.parametrize("more", [{"model": {"name": "resnet20"}}, {"train": {"momentum": 0.0}}])
def test_variants_that_differ_in_more_than_rewinding_say_nothing_about_it(more):
    made = Made(tickets=3, methods=("interpolation",), corruptions=("fog",))
    alike, unlike = results(made), results(made)
    unlike.params.raw["variants"]["no-rewind"] |= more
    assert "Rewinding's effect is visible" in rewinding(alike)[0]
    assert "not measured" in rewinding(unlike)[0]


def test_an_imported_variant_says_nothing_about_rewinding():
    made = Made(tickets=3, methods=("interpolation",), corruptions=("fog",))
    assert "not measured" in rewinding(results(replace(made, imported=("no-rewind",))))[0]


@pytest.mark.parametrize(("seeds", "share"), [((0,), "100%"), ((0, 1), "33%"), ((0, 1, 2), "10%")])
def test_the_reader_is_told_how_little_a_few_seeds_prove(seeds, share):
    made = Made(tickets=3, methods=("interpolation",), corruptions=("fog",), seeds=seeds)
    assert f"would not overlap in {share} of cases" in rewinding(results(made))[-1]
