"""One exploration is equations 1 and 2, layer by layer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lp_core.sparsity.exploration import prune_and_grow
from lp_core.sparsity.magnitude import magnitude_mask_within
from tests.lp_core.strategies import SHAPES, values

LAYERS = ("conv1.weight", "conv2.weight", "fc")
LAYOUTS = [torch.channels_last, torch.contiguous_format]


def equations_1_and_2(
    mask: np.ndarray, weights: np.ndarray, scores: np.ndarray, rate: float
) -> np.ndarray:
    """Of one layer, connection by connection; of equals the first stays, and the first comes."""
    kept = [i for i in range(mask.size) if mask.flat[i]]
    count = round(rate * len(kept))
    survivors = sorted(kept, key=lambda i: (-abs(weights.flat[i]), i))[: len(kept) - count]
    absent = [i for i in range(mask.size) if i not in survivors]
    grown = sorted(absent, key=lambda i: (-abs(scores.flat[i]), i))[:count]
    result = np.zeros(mask.size, dtype=bool)
    result[[*survivors, *grown]] = True
    return result.reshape(mask.shape)


@st.composite
def layers(draw: st.DrawFn) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """For each layer a mask, weights and scores, with ties, zeros and numbers that are none."""
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = draw(st.sampled_from(LAYOUTS))
    made = {}
    for name in LAYERS:
        shape = SHAPES[name]
        grid = draw(st.booleans())
        mask = torch.tensor(random.random(shape) < density)
        parts = (mask, draw(values(shape, grid)).where(mask, 0.0), draw(values(shape, grid)))
        mask, weights, scores = (
            part.contiguous(memory_format=layout) if part.ndim == 4 else part for part in parts
        )
        made[name] = (mask, weights, scores)
    return made


@settings(deadline=None)
@given(layers(), st.floats(0, 1))
def test_exploring_is_pruning_and_growing_connection_by_connection(made, rate):
    masks, weights, scores = ({name: made[name][i] for name in LAYERS} for i in range(3))
    explored = prune_and_grow(masks, weights, scores, rate)
    for name in LAYERS:
        expected = equations_1_and_2(
            masks[name].numpy(),
            np.nan_to_num(weights[name].numpy(), nan=0.0, posinf=np.inf, neginf=-np.inf),
            np.nan_to_num(scores[name].numpy(), nan=0.0, posinf=np.inf, neginf=-np.inf),
            rate,
        )
        assert np.array_equal(explored[name].numpy(), expected)
        assert explored[name].sum() == masks[name].sum()


@settings(deadline=None)
@given(layers(), st.floats(0, 1))
def test_within_masks_the_largest_survive_and_a_kept_zero_outranks_what_is_not_kept(made, share):
    masks, weights = ({name: made[name][i] for name in LAYERS} for i in range(2))
    kept = sum(int(mask.sum()) for mask in masks.values())
    keep = round(share * kept)
    pruned = magnitude_mask_within(masks, weights, keep)
    flat = [
        (
            -abs(float(weights[name].nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)[i])),
            n,
            i,
        )
        for n, name in enumerate(LAYERS)
        for i in map(tuple, masks[name].nonzero().tolist())
    ]
    expected = {(LAYERS[n], i) for _, n, i in sorted(flat)[:keep]}
    found = {(name, i) for name in LAYERS for i in map(tuple, pruned[name].nonzero().tolist())}
    assert found == expected


def test_a_dense_layer_stays_dense_and_an_empty_one_empty():
    weights = {"dense": torch.arange(6.0), "empty": torch.zeros(6)}
    masks = {"dense": torch.ones(6, dtype=torch.bool), "empty": torch.zeros(6, dtype=torch.bool)}
    explored = prune_and_grow(masks, weights, weights, 0.5)
    assert explored["dense"].all()
    assert not explored["empty"].any()


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_what_rounds_to_no_connection_changes_nothing(rate):
    mask = torch.tensor([True, True, False, False])
    scores = {"fc": torch.tensor([0.0, 0.0, 9.0, 9.0])}
    assert torch.equal(prune_and_grow({"fc": mask}, scores, scores, rate)["fc"], mask)


def test_a_connection_that_has_just_gone_may_come_straight_back():
    mask, weights = torch.tensor([True, True, False]), torch.tensor([1.0, 0.1, 0.0])
    scores = {"fc": torch.tensor([0.0, 5.0, 1.0])}
    assert torch.equal(prune_and_grow({"fc": mask}, {"fc": weights}, scores, 0.5)["fc"], mask)
