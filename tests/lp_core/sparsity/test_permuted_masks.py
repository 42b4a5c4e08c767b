"""A mask permuted layer by layer."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.sparsity.random_draws import permuted_masks
from tests.lp_core.strategies import bits, tickets

SEEDS = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(tickets(), SEEDS)
def test_each_layer_keeps_its_density_exactly(ticket, seed):
    before = bits(ticket.mask)
    permuted = permuted_masks(ticket.mask, seed)
    assert list(permuted) == list(ticket.mask)
    for name, mask in ticket.mask.items():
        assert permuted[name].dtype == torch.bool
        assert permuted[name].shape == mask.shape
        assert int(permuted[name].sum()) == int(mask.sum())
    assert bits(ticket.mask) == before


@settings(deadline=None, max_examples=20)
@given(tickets(), SEEDS)
def test_the_seed_alone_decides(ticket, seed):
    assert bits(permuted_masks(ticket.mask, seed)) == bits(permuted_masks(ticket.mask, seed))


def test_every_place_is_kept_as_often_as_any_other():
    mask = {"w": torch.arange(40).view(8, 5) < 10}
    kept = torch.stack([permuted_masks(mask, seed)["w"] for seed in range(4000)])
    # Within five standard errors of the density, a quarter.
    assert (kept.double().mean(0) - 0.25).abs().max() < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_layers_of_one_shape_are_permuted_differently():
    mask = torch.arange(400) < 200
    permuted = permuted_masks({"one": mask, "other": mask}, 0)
    assert not torch.equal(permuted["one"], permuted["other"])


def test_the_layout_in_memory_stays():
    mask = torch.zeros(4, 3, 3, 3, dtype=torch.bool).to(memory_format=torch.channels_last)
    mask[0] = True
    assert permuted_masks({"w": mask}, 0)["w"].is_contiguous(memory_format=torch.channels_last)
