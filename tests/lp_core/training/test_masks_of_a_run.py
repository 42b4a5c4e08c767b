"""Masks of a run: weights outside are zero, whatever changes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lp_core.training.masks import Masks
from lp_core.training.sgd import SGD

LAYOUTS = [torch.channels_last, torch.contiguous_format]


def _network(layout: torch.memory_format) -> tuple[nn.Module, SGD]:
    """One convolution after a step with momentum."""
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 3).to(memory_format=layout)
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=0.0)
    model(torch.randn(2, 3, 5, 5)).square().sum().backward()
    optimizer.step(0.1)
    return model, optimizer


def _mask(seed: int) -> torch.Tensor:
    return torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed)) < 0.5


@settings(deadline=None, max_examples=20)
@given(layout=st.sampled_from(LAYOUTS), first=st.integers(0, 99), second=st.integers(0, 99))
def test_changed_weights_and_their_momentum_are_zero_and_the_others_untouched(
    layout, first, second
):
    model, optimizer = _network(layout)
    masks = Masks(model, optimizer, {"weight": _mask(first)})
    old, momentum = model.weight.detach().clone(), optimizer.momenta[model.weight]
    before = momentum.clone()
    masks.change({"weight": _mask(second)}, reset_momentum=True)
    changed, stays = _mask(first) ^ _mask(second), _mask(first) & _mask(second)
    assert torch.equal(masks["weight"], _mask(second))
    assert not model.weight[~stays].any()  # what came starts at zero
    assert torch.equal(model.weight[stays], old[stays])
    assert not momentum[changed].any()
    assert torch.equal(momentum[~changed], before[~changed])
    with torch.no_grad():
        model.weight.fill_(1.0)
    masks.apply()
    assert torch.equal(model.weight != 0, _mask(second))


def test_momentum_stays_unless_asked():
    model, optimizer = _network(torch.channels_last)
    masks = Masks(model, optimizer, {"weight": _mask(0)})
    before = optimizer.momenta[model.weight].clone()
    masks.change({"weight": _mask(1)})
    assert torch.equal(optimizer.momenta[model.weight], before)


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
