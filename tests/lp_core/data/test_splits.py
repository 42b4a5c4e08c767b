import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lp_core.data.sources.examples import Examples
from lp_core.data.splits import hold_out, three_splits
from lp_core.data.subsets import balanced_indices, balanced_slices

LABELS = hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 6))
SEEDS = st.integers(0, 2**32 - 1)


def _examples(labels) -> Examples:
    labels = np.asarray(labels, dtype=np.int64)
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Examples(images, labels)


@settings(deadline=None)
@given(labels=LABELS, fraction=st.floats(0.01, 0.99), seed=SEEDS)
@example(labels=np.array([1, 2, 0, 0, 0, 0]), fraction=0.5, seed=0)  # two classes of one image
def test_held_out_images_are_a_fraction_of_every_class(labels, fraction, seed):
    kept, held = hold_out(labels, fraction, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    for label in np.unique(labels):
        count, out = (labels == label).sum(), (labels[held] == label).sum()
        assert abs(out - fraction * count) < 1
        assert out < count
    again = hold_out(labels, fraction, seed)
    assert np.array_equal(again[1], held)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(2, 60), min_size=1, max_size=30),
    fraction=st.floats(0.01, 0.5),
    seed=SEEDS,
)
def test_the_total_is_the_fraction_of_all_images_however_large_the_classes(sizes, fraction, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    _, held = hold_out(labels, fraction, seed)
    assert len(held) == round(fraction * len(labels))


def test_a_tenth_of_equal_classes_is_a_tenth_of_each():
    labels = np.repeat(np.arange(10), 50)
    _, held = hold_out(labels, 0.1, seed=0)
    assert np.bincount(labels[held]).tolist() == [5] * 10
    assert not np.array_equal(held, hold_out(labels, 0.1, seed=1)[1])


def test_small_classes_share_the_total():
    labels = np.repeat(np.arange(200), 4)
    _, held = hold_out(labels, 0.1, seed=0)
    assert len(held) == 80


@pytest.mark.parametrize(
    ("published", "sizes"),
    [
        ({"train": 100}, (72, 8, 20)),
        ({"train": 100, "test": 30}, (90, 10, 30)),
        ({"train": 100, "val": 30}, (90, 10, 30)),
        ({"train": 100, "val": 30, "test": 40}, (100, 30, 40)),
    ],
)
def test_the_only_published_split_is_the_test_split(published, sizes):
    splits = three_splits(
        {name: _examples(np.arange(count) % 4) for name, count in published.items()}, 0.1, 0.2, 0
    )
    assert tuple(len(splits[name]) for name in ("train", "val", "test")) == sizes


def test_splits_of_one_whole_set_share_no_image():
    splits = three_splits({"train": _examples(np.arange(100) % 4)}, 0.1, 0.2, 0)
    images = np.concatenate([np.asarray(part.images).reshape(-1) for part in splits.values()])
    assert sorted(images) == list(range(100))


def test_a_fraction_below_one_image_is_refused():
    with pytest.raises(ValueError, match=r"val_fraction 0\.1 of 4 images"):
        three_splits({"train": _examples([0, 0, 1, 1]), "test": _examples([0])}, 0.1, 0.2, 0)


@settings(deadline=None)
@given(labels=LABELS, share=st.floats(0, 1), seed=SEEDS)
def test_balanced_images_are_as_equal_as_the_classes_allow(labels, share, seed):
    count = max(1, round(share * len(labels)))
    chosen = balanced_indices(labels, count, seed)
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == count
    assert np.array_equal(chosen, balanced_indices(labels, count, seed))
    taken, there = np.bincount(labels[chosen], minlength=7), np.bincount(labels, minlength=7)
    # A class that gave all it has may have given fewer than the others; no other class may.
    assert all(taken[c] == there[c] or taken[c] >= taken.max() - 1 for c in range(7))


@settings(deadline=None)
@given(
    labels=LABELS,
    cuts=st.lists(st.floats(0.01, 0.99), max_size=4, unique=True),
    seed=SEEDS,
)
def test_slices_are_disjoint_and_cover_all_with_the_same_mix(labels, cuts, seed):
    sizes = [*sorted(cuts), 1]
    if len(labels) < len(sizes):
        with pytest.raises(ValueError, match="cannot fill"):
            balanced_slices(labels, sizes, seed)
        return
    slices = balanced_slices(labels, sizes, seed)
    assert len(slices) == len(sizes)
    assert sorted(np.concatenate(slices)) == list(range(len(labels)))
    assert all(len(piece) for piece in slices)
    again = balanced_slices(labels, sizes, seed)
    assert all(np.array_equal(a, b) for a, b in zip(slices, again, strict=True))
    classes = len(np.unique(labels))
    for piece in slices:
        for label in np.unique(labels):
            fair = (labels == label).mean() * len(piece)
            # Each end of a slice may split every other class's turn.
            assert abs((labels[piece] == label).sum() - fair) <= classes + 1


def test_slices_of_equal_classes_are_equal_in_each():
    labels = np.repeat(np.arange(10), 80)
    slices = balanced_slices(labels, [1 / 8, 1 / 4, 1 / 2, 1], seed=0)
    assert [np.bincount(labels[piece]).tolist() for piece in slices] == [
        [n] * 10 for n in (10, 10, 20, 40)
    ]


@pytest.mark.parametrize("sizes", [[], [0.5], [0.5, 0.5, 1], [0.0, 1], [0.5, 1.5]])
def test_slice_sizes_must_rise_to_one(sizes):
    with pytest.raises(ValueError, match="slice sizes"):
        balanced_slices(np.arange(10), sizes, seed=0)


@pytest.mark.parametrize("count", [0, 11])
def test_more_images_than_there_are_cannot_be_chosen(count):
    with pytest.raises(ValueError, match="out of 10"):
        balanced_indices(np.arange(10), count, seed=0)
