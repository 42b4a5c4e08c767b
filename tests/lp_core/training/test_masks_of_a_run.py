"""Masks of a run: weights outside are zero, whatever changes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from lp_core.training.masks import Masks
from lp_core.training.sgd import SGD

LAYOUTS = [torch.channels_last, torch.contiguous_format]


def _network(layout: torch.memory_format) -> tuple[nn.Conv2d, SGD]:
    """One convolution after a step with momentum."""
    torch.manual_seed(0)
    model = convert_conv2d_weight_memory_format(nn.Conv2d(3, 4, 3), layout)
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=0.0)
    model(torch.randn(2, 3, 5, 5)).square().sum().backward()
    optimizer.step(0.1)
    return model, optimizer


def _mask(seed: int) -> torch.Tensor:
    return torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed)) < 0.5


@settings(deadline=None, max_examples=20)
@given(layout=st.sampled_from(LAYOUTS), first=st.integers(0, 99), second=st.integers(0, 99))
def test_weights_that_leave_or_come_and_their_momentum_are_zero_and_the_others_untouched(
    layout, first, second
):
    model, optimizer = _network(layout)
    masks = Masks(model, optimizer, {"weight": _mask(first)})
    old = model.weight.detach().clone()
    momentum = optimizer.momenta[model.get_parameter("weight")]
    before = momentum.clone()
    masks.change({"weight": _mask(second)})
    stays = _mask(first) & _mask(second)
    assert torch.equal(masks["weight"], _mask(second))
    assert not model.weight[~stays].any()  # what came starts at zero
    assert torch.equal(model.weight[stays], old[stays])
    assert not momentum[~stays].any()
    assert torch.equal(momentum[stays], before[stays])
    assert masks.kept == {"weight": int(_mask(second).sum())}
    with torch.no_grad():
        model.weight.fill_(1.0)
    masks.apply()
    assert torch.equal(model.weight != 0, _mask(second))


@settings(deadline=None, max_examples=20)
@given(layout=st.sampled_from(LAYOUTS), seed=st.integers(0, 99), steps=st.integers(1, 4))
def test_masked_gradients_move_kept_weights_to_the_bit_as_dense_ones_and_no_others(
    layout, seed, steps
):
    """The other way is to let every weight move, and set those outside to zero after each step."""
    model, optimizer = _network(layout)
    other, dense = _network(layout)
    masks, theirs = (
        Masks(m, o, {"weight": _mask(seed)}) for m, o in ((model, optimizer), (other, dense))
    )
    for step in range(steps):
        images = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(step))
        for network in (model, other):
            network.zero_grad()
            network(images).square().sum().backward()
        masks.apply_to_gradients()
        optimizer.step(0.1)
        dense.step(0.1)
        theirs.apply()
    kept = _mask(seed)
    weight, wanted = model.get_parameter("weight"), other.get_parameter("weight")
    assert torch.equal(weight[kept], wanted[kept])
    assert not weight[~kept].any()
    assert not optimizer.momenta[weight][~kept].any()
    assert torch.equal(optimizer.momenta[weight][kept], dense.momenta[wanted][kept])
    assert torch.equal(model.get_parameter("bias"), other.get_parameter("bias"))


def test_a_layer_without_gradients_is_passed_over():
    model, optimizer = _network(torch.channels_last)
    masks = Masks(model, optimizer, {"weight": _mask(0)})
    model.zero_grad()
    masks.apply_to_gradients()
    assert model.weight.grad is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mask_that_became_dense_or_sparse_is_applied_as_it_is_now(layout):
    model, optimizer = _network(layout)
    ones = torch.ones(4, 3, 3, 3, dtype=torch.bool)
    masks = Masks(model, optimizer, {"weight": ones})
    for mask in (_mask(0), ones, _mask(1)):
        masks.change({"weight": mask})
        with torch.no_grad():
            model.weight.fill_(1.0)
        masks.apply()
        assert torch.equal(model.weight != 0, mask)


def test_weights_that_are_no_numbers_are_cleared():
    model, optimizer = _network(torch.channels_last)
    masks = Masks(model, optimizer, {"weight": _mask(0)})
    with torch.no_grad():
        model.weight.fill_(float("nan"))
    masks.clear()
    assert not model.weight[~_mask(0)].any()
    assert model.weight[_mask(0)].isnan().all()


def test_masks_are_a_copy_of_those_given():
    model, optimizer = _network(torch.channels_last)
    given_mask = _mask(0)
    masks = Masks(model, optimizer, {"weight": given_mask})
    given_mask.fill_(True)
    assert torch.equal(masks["weight"], _mask(0))
    assert list(masks) == ["weight"]
    assert len(masks) == 1
