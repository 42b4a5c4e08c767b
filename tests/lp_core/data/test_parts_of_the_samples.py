"""Samples chosen by how hard they are, and class-balanced parts."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lp_core.data.subsets import class_balanced_part, without
from lp_core.errors import InputError

SEEDS = st.integers(0, 2**32 - 1)
SHARES = st.floats(0.01, 0.99)
SELECTIONS = ("random", "least-forgotten", "most-forgotten")
# Small numbers, so that many samples are as hard as others.
DIFFICULTY = hnp.arrays(
    np.float64, st.integers(2, 120), elements=st.integers(0, 5).map(lambda n: n / 2)
)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    difficulty = draw(DIFFICULTY)
    labels = draw(hnp.arrays(np.int64, len(difficulty), elements=st.integers(0, 4)))
    return labels, difficulty


@settings(deadline=None)
@given(DIFFICULTY, SHARES, SEEDS)
def test_what_is_left_is_no_harder_or_no_easier_than_what_was_taken(difficulty, share, seed):
    gone = round(share * len(difficulty))
    assume(0 < gone < len(difficulty))
    for which in ("easiest", "hardest"):
        left = without(difficulty, which, share, seed)
        assert left.dtype == np.int64
        assert len(left) == len(difficulty) - gone
        assert (np.diff(left) > 0).all()
        taken = np.setdiff1d(np.arange(len(difficulty)), left)
        if which == "easiest":
            assert difficulty[taken].max() <= difficulty[left].min()
        else:
            assert difficulty[taken].min() >= difficulty[left].max()
        assert np.array_equal(left, without(difficulty, which, share, seed))


def test_equally_hard_samples_go_by_the_seed():
    difficulty = np.zeros(60)
    left = [without(difficulty, "easiest", 0.5, seed) for seed in range(40)]
    assert len({tuple(indices) for indices in left}) == 40
    times = np.bincount(np.concatenate(left), minlength=60)
    assert times.min() > 0, "a sample never stays: ties do not go by the seed alone"
    assert times.max() < 40, "a sample always stays: ties do not go by the seed alone"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.99, 1.0, -0.3, 1.3])
def test_a_share_that_takes_nothing_or_all_is_refused(share):
    with pytest.raises(InputError, match=f"^share is {share}, which is"):
        without(np.arange(20.0), "easiest", share, 0)


@settings(deadline=None)
@given(labelled(), SHARES, SEEDS, st.sampled_from(SELECTIONS))
def test_a_part_has_its_share_of_each_class(samples, share, seed, selection):
    labels, difficulty = samples
    chosen = class_balanced_part(labels, share, selection, seed, difficulty)
    assert chosen.dtype == np.int64
    assert (np.diff(chosen) > 0).all()
    for label in np.unique(labels):
        expected = max(1, round(share * (labels == label).sum()))
        assert (labels[chosen] == label).sum() == expected


@settings(deadline=None)
@given(labelled(), SHARES, SEEDS)
def test_in_each_class_the_least_or_the_most_forgotten_are_chosen(samples, share, seed):
    labels, difficulty = samples
    least = class_balanced_part(labels, share, "least-forgotten", seed, difficulty)
    most = class_balanced_part(labels, share, "most-forgotten", seed, difficulty)
    for label in np.unique(labels):
        members = np.sort(difficulty[labels == label])
        easy, hard = (np.sort(difficulty[c[labels[c] == label]]) for c in (least, most))
        assert np.array_equal(easy, members[: len(easy)])
        assert np.array_equal(hard, members[len(members) - len(hard) :])


@settings(deadline=None)
@given(labelled(), SHARES, SHARES, SEEDS, st.sampled_from(SELECTIONS))
def test_a_smaller_part_lies_within_a_larger_one(samples, one, other, seed, selection):
    labels, difficulty = samples
    small, large = sorted((one, other))
    inner = class_balanced_part(labels, small, selection, seed, difficulty)
    outer = class_balanced_part(labels, large, selection, seed, difficulty)
    assert set(inner) <= set(outer)


def test_a_random_part_depends_on_the_seed_and_not_on_the_difficulty():
    labels = np.arange(100) % 4
    plain = class_balanced_part(labels, 0.2, "random", 1)
    assert np.array_equal(plain, class_balanced_part(labels, 0.2, "random", 1, np.arange(100.0)))
    assert not np.array_equal(plain, class_balanced_part(labels, 0.2, "random", 2))
    chosen = np.concatenate([class_balanced_part(labels, 0.2, "random", s) for s in range(60)])
    assert (np.bincount(chosen, minlength=100) > 0).all()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_part_is_no_less_than_nothing_and_no_more_than_all(share):
    with pytest.raises(InputError, match=f"^share is {share}; give one above 0"):
        class_balanced_part(np.zeros(9, dtype=np.int64), share, "random", 0)


def test_without_a_number_for_each_sample_nothing_is_chosen_by_it():
    labels = np.zeros(9, dtype=np.int64)
    for difficulty, found in ((None, "none"), (np.zeros(8), "8")):
        with pytest.raises(InputError, match=f"of each of 9 samples, but there are {found}"):
            class_balanced_part(labels, 0.5, "most-forgotten", 0, difficulty)
    with pytest.raises(InputError, match="the difficulty of 1 of 9 samples is not finite"):
        without(np.array([np.nan, *range(8)]), "hardest", 0.5, 0)
