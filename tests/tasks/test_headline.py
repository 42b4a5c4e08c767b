"""The sentence on rewinding follows the numbers."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.headline import effect, p_value, verdict

shares = st.floats(0, 1)
seeds = st.lists(shares, min_size=1, max_size=4)


@given(seeds, seeds)
def test_an_effect_is_seen_by_every_seed_and_half_a_point_large(rewound, other):
    apart = sum(rewound) / len(rewound) - sum(other) / len(other)
    expected = "none"
    if abs(apart) >= 0.005 and all(r > o for r, o in itertools.product(rewound, other)):
        expected = "visible"
    if abs(apart) >= 0.005 and all(r < o for r, o in itertools.product(rewound, other)):
        expected = "reversed"
    assert effect(rewound, other, more_is_better=True) == expected


@given(seeds, seeds)
def test_what_is_better_decides_the_direction_alone(rewound, other):
    turned = {"visible": "reversed", "reversed": "visible", "none": "none"}
    less = effect(rewound, other, more_is_better=False)
    assert turned[effect(rewound, other, more_is_better=True)] == less
    assert effect(other, rewound, more_is_better=True) == less


@given(seeds, seeds, st.sampled_from([True, False]))
def test_seeds_that_diverged_count_for_nothing(rewound, other, more):
    nan = math.nan
    assert effect([*rewound, nan], [nan, *other], more) == effect(rewound, other, more)
    assert effect([nan], other, more) == "none"


@pytest.mark.parametrize(
    ("barriers", "averages", "words"),
    [
        ("visible", "visible", "visible in the barriers between neighbours and in their averages."),
        (
            "visible",
            "none",
            "visible in the barriers between neighbours, but not in their averages",
        ),
        ("none", "visible", "visible in their averages, but not in the barriers"),
        ("visible", "reversed", "but their averages point the other way"),
        ("none", "none", "is not visible here."),
        ("none", "reversed", "is not visible here; their averages are even better without it."),
    ],
)
def test_the_verdict_says_what_was_seen(barriers, averages, words):
    assert words in verdict(barriers, averages)


@given(
    st.sampled_from(["visible", "reversed", "none"]),
    st.sampled_from(["visible", "reversed", "none"]),
)
def test_the_verdict_denies_what_neither_measure_shows(barriers, averages):
    denied = "is not visible here" in verdict(barriers, averages)
    assert denied is ("visible" not in (barriers, averages))


def test_a_p_value_is_rounded_and_never_zero():
    assert p_value(0.0) == "p < 0.001"
    assert p_value(0.0321) == "p = 0.032"
    assert p_value(math.nan) == "p is undefined"
