"""What a training forgot: shares, difficulty, and the file that keeps it."""

import math
import re
from pathlib import Path
from statistics import fmean, pstdev

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lp_core.analysis.forgetting import Forgotten, difficulty
from lp_core.errors import DamagedError, InputError, MissingInputError


@st.composite
def trainings(draw: st.DrawFn, samples: int | None = None) -> Forgotten:
    """Counts that a training can come to: who is presented k times is forgotten k/2 at most."""
    samples = samples or draw(st.integers(1, 8))
    presented = draw(st.lists(st.integers(0, 9), min_size=samples, max_size=samples))
    learned = [bool(times) and draw(st.booleans()) for times in presented]
    events = [
        draw(st.integers(0, times // 2)) if known else 0
        for times, known in zip(presented, learned, strict=True)
    ]
    return forgotten(events, learned, presented)


def forgotten(events: list[int], learned: list[bool], presented: list[int]) -> Forgotten:
    return Forgotten(
        torch.tensor(events, dtype=torch.int32),
        torch.tensor(learned),
        torch.tensor(presented, dtype=torch.int32),
    )


SOME = forgotten([2, 0, 0, 0], [True, True, False, False], [5, 5, 5, 0])


def test_shares_and_moments_are_of_the_samples_that_were_presented():
    assert SOME.mean == pytest.approx(2 / 3)
    assert SOME.std == pytest.approx(math.sqrt(8 / 9))
    assert SOME.unforgettable == pytest.approx(1 / 3)
    assert SOME.never_learned == pytest.approx(1 / 3)


@settings(deadline=None)
@given(trainings())
def test_the_moments_are_those_of_a_plain_count(training):
    counted = [
        events
        for events, times in zip(training.events.tolist(), training.presented.tolist(), strict=True)
        if times
    ]
    if not counted:
        assert math.isnan(training.mean)
        assert math.isnan(training.unforgettable)
        return
    assert training.mean == pytest.approx(fmean(counted))
    assert training.std == pytest.approx(pstdev(counted))
    assert 0 <= training.unforgettable + training.never_learned <= 1


def test_a_sample_that_was_never_learned_is_harder_than_any_that_was():
    training = forgotten([3, 0, 0, 1], [True, False, True, True], [7, 7, 7, 7])
    assert difficulty([training]).argsort().tolist() == [2, 3, 0, 1]


def test_difficulty_is_the_mean_over_the_trainings_that_presented_the_sample():
    one = forgotten([2, 0, 0, 0], [True, False, True, False], [6, 6, 6, 0])
    other = forgotten([1, 1, 0, 0], [True, True, False, False], [6, 6, 0, 0])
    known = [1.5, 3.5, 0.0]
    assert difficulty([one, other]).tolist() == [*known, fmean(known)]


@settings(deadline=None)
@given(st.integers(1, 6).flatmap(lambda n: st.lists(trainings(n), min_size=1, max_size=4)))
def test_difficulty_does_not_depend_on_the_order_of_the_trainings(several):
    there, back = difficulty(several), difficulty(several[::-1])
    assert there.dtype == torch.float64
    assert torch.allclose(there, back, equal_nan=True)
    assert bool(there.isnan().any()) == all(not t.presented.any() for t in several)


def test_difficulty_of_no_or_unlike_trainings_is_refused():
    with pytest.raises(InputError, match=r"0 trainings of \[\] samples"):
        difficulty([])
    with pytest.raises(InputError, match=r"2 trainings of \[1, 4\] samples"):
        difficulty([SOME, forgotten([0], [True], [1])])


@settings(deadline=None)
@given(trainings())
def test_what_is_saved_is_what_is_read(tmp_path_factory, training):
    path = tmp_path_factory.mktemp("counts") / "forgetting.safetensors"
    training.save(path)
    again = Forgotten.load(path)
    for name in ("events", "learned", "presented"):
        mine, other = getattr(training, name), getattr(again, name)
        assert torch.equal(mine, other)
        assert mine.dtype == other.dtype
    content = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == content


def test_a_file_with_any_one_bit_changed_is_not_read(tmp_path):
    path = tmp_path / "forgetting.safetensors"
    SOME.save(path)
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match=f"^{re.escape(str(path))}: "):
            Forgotten.load(path)


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _others(path: Path) -> None:
    save_file({"events": torch.zeros(3)}, path)


@pytest.mark.parametrize("damage", [_nothing, _half, _others])
def test_what_is_no_such_file_is_one_clear_error(damage, tmp_path):
    path = tmp_path / "forgetting.safetensors"
    SOME.save(path)
    damage(path)
    with pytest.raises(
        DamagedError, match=r"forgetting\.safetensors: no whole forgetting file .*make it"
    ):
        Forgotten.load(path)


def test_a_missing_file_says_that_its_stage_must_run(tmp_path):
    with pytest.raises(MissingInputError, match="run its stage first"):
        Forgotten.load(tmp_path / "none")
