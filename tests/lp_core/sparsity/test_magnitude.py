import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.sparsity.magnitude import magnitude_mask
from tests.lp_core.strategies import bits, values

shapes = st.lists(
    st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple), min_size=1, max_size=4
)


@st.composite
def populations(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Named tensors of one type: with ties, zeros, NaN and infinities, or plainly random."""
    grid = draw(st.booleans())
    dtype = draw(st.sampled_from([torch.float32, torch.float32, torch.float64, torch.bfloat16]))
    # Not in alphabetical order: position is the mapping's order, not the names'.
    return {
        f"w{9 - i}": draw(values(shape, grid)).to(dtype) / 3 for i, shape in enumerate(draw(shapes))
    }


def plain_sort(weights: dict[str, torch.Tensor], keep: int) -> dict[str, list[bool]]:
    """The definition: sort by magnitude, then position; NaN is zero."""
    ranked = []
    for place, (name, weight) in enumerate(weights.items()):
        for index, value in enumerate(weight.flatten().tolist()):
            magnitude = 0.0 if value != value else abs(value)
            ranked.append((-magnitude, place, index, name))
    survivors = {(name, index) for _, _, index, name in sorted(ranked)[:keep]}
    return {
        name: [(name, index) in survivors for index in range(weight.numel())]
        for name, weight in weights.items()
    }


@settings(deadline=None, max_examples=150)
@given(weights=populations(), data=st.data())
def test_exactly_the_largest_survive_ties_by_position(weights, data):
    keep = data.draw(st.integers(0, sum(w.numel() for w in weights.values())))
    before = bits({n: w.double() for n, w in weights.items()})
    masks = magnitude_mask(weights, keep)
    assert sum(int(mask.sum()) for mask in masks.values()) == keep
    assert {n: m.flatten().tolist() for n, m in masks.items()} == plain_sort(weights, keep)
    assert list(masks) == list(weights)
    assert all(
        masks[n].shape == w.shape and masks[n].dtype == torch.bool for n, w in weights.items()
    )
    assert bits({n: w.double() for n, w in weights.items()}) == before


@settings(deadline=None, max_examples=30)
@given(weight=values((4, 3, 3, 3), grid=True), keep=st.integers(0, 108))
def test_position_is_that_of_the_index_whatever_the_layout(weight, keep):
    laid_out = weight.contiguous(memory_format=torch.channels_last)
    plain, mask = (magnitude_mask({"w": w}, keep)["w"] for w in (weight, laid_out))
    assert torch.equal(plain, mask)
    assert (plain.stride(), mask.stride()) == (weight.stride(), laid_out.stride())


def test_tensors_are_one_population():
    masks = magnitude_mask({"small": torch.full((3,), 0.1), "large": torch.full((3,), 9.0)}, 3)
    assert not masks["small"].any()
    assert masks["large"].all()


def test_weights_that_need_gradients_may_be_given():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -3.0, 2.0]))
    assert magnitude_mask({"w": parameter}, 2)["w"].tolist() == [False, True, True]


@pytest.mark.parametrize("keep", [-1, 7])
def test_an_impossible_count_is_an_error(keep):
    with pytest.raises(ValueError, match=f"keep is {keep}; there are 6 prunable weights"):
        magnitude_mask({"a": torch.ones(2, 2), "b": torch.ones(2)}, keep)
