"""The binary search for the first stable epoch, against looking at every epoch."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.analysis.stability import StableSearch, most_probes
from lp_core.errors import InputError


def searched(pattern: Sequence[bool]) -> tuple[StableSearch, list[int | None]]:
    """The finished search in a training of len(pattern) epochs of which `pattern` says whether they
    are stable, and what it had found before each of its probes."""
    search, found = StableSearch(len(pattern)), []
    while (epoch := search.next_probe) is not None:
        found.append(search.found)
        search = search.after(epoch, pattern[epoch])
    return search, found


def linear(pattern: Sequence[bool]) -> int:
    """The first stable epoch; the end of the training always is."""
    return next(epoch for epoch, stable in enumerate([*pattern, True]) if stable)


@pytest.mark.parametrize("last", [*range(17), 200])
def test_of_every_monotone_pattern_it_finds_the_first_stable_epoch(last):
    for first in range(last + 1):
        pattern = [epoch >= first for epoch in range(last)]
        search, _ = searched(pattern)
        assert search.found == linear(pattern) == first
        assert search.monotone


@settings(deadline=None)
@given(st.integers(0, 3000).flatmap(lambda last: st.tuples(st.just(last), st.integers(0, last))))
def test_it_takes_no_more_probes_than_it_says(where):
    last, first = where
    search, found = searched([epoch >= first for epoch in range(last)])
    assert found.count(None) <= math.ceil(math.log2(last + 1))
    assert len(found) <= math.ceil(math.log2(last + 1)) + 1 == most_probes(last)
    assert len(search.probes) == len(found), "an epoch was probed twice"


def test_the_papers_trainings_take_nine_probes():
    assert most_probes(200) == 9
    taken = [len(searched([e >= first for e in range(200)])[1]) for first in range(201)]
    assert max(taken) == 9


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_of_any_pattern_it_finds_a_stable_epoch_whose_predecessor_is_not(pattern):
    search, _ = searched(pattern)
    assert search.found is not None
    assert [*pattern, True][search.found]
    assert search.found == 0 or not pattern[search.found - 1]


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_the_epoch_after_the_found_one_is_known_in_the_end(pattern):
    search, found = searched(pattern)
    assert search.found is not None
    assert search.found + 1 >= len(pattern) or search.found + 1 in search.probes
    assert [f is None for f in found] == sorted((f is None for f in found), reverse=True)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_what_is_not_monotone_is_told_where_a_probe_saw_it(pattern):
    search, _ = searched(pattern)
    seen = [stable for _, stable in sorted(search.probes.items())]
    assert search.monotone == (seen == sorted(seen))
    assert search.found is not None
    if search.found + 1 < len(pattern) and not pattern[search.found + 1]:
        assert not search.monotone


def test_a_check_that_fails_leaves_what_was_found():
    search = StableSearch(8)
    for epoch, stable in [(4, False), (6, True), (5, False)]:
        assert search.next_probe == epoch
        search = search.after(epoch, stable)
    assert (search.found, search.next_probe, search.bounds) == (6, 7, (5, 6))
    search = search.after(7, False)
    assert (search.found, search.next_probe, search.monotone) == (6, None, False)


def test_without_epochs_there_is_nothing_to_probe():
    search = StableSearch(0)
    assert (search.found, search.next_probe, search.monotone) == (0, None, True)


@pytest.mark.parametrize("epoch", [-1, 5, 6])
def test_an_epoch_outside_the_training_is_refused(epoch):
    with pytest.raises(InputError, match=f"epoch {epoch} was probed; give epochs from 0 to 4"):
        StableSearch(5, {epoch: True})
