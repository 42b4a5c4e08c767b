"""Sparse training methods: their settings, and the masks that they begin with."""

import json
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import nn

from lp_core import faces
from lp_core.compute import Compute
from lp_core.errors import InputError
from lp_core.models.structure import prunable
from lp_core.sparsity.densities import erk_densities, kept_counts
from lp_core.sparsity.dynamic import DynamicMethod
from lp_core.sparsity.method_spec import METHODS, method_class
from lp_core.sparsity.methods.granet import Granet
from tests.lp_core.sparse import (
    COMPUTE,
    DYNAMIC,
    SETTINGS,
    first_batch,
    masks_of,
    method,
    prunable_weights,
)
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import residual_network


def test_methods_are_found_by_the_names_that_settings_use():
    assert sorted(faces.names(METHODS)) == sorted(SETTINGS)
    with pytest.raises(
        InputError, match=r"^recipe 'rig' is unknown; it can be one of dense, .*rigl"
    ):
        method_class("rig")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_method_takes_its_own_settings_and_no_others(name):
    adapter = TypeAdapter(method_class(name))
    made = adapter.validate_json(json.dumps(SETTINGS[name]))
    assert made == method(name)
    for other in {"interval", "until", "candidates"} - {field.name for field in fields(made)}:
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(SETTINGS[name] | {other: 3}))


def test_published_settings_are_the_defaults():
    for name in DYNAMIC:
        more = {"until": 110} if name == "granet" else {}
        made = method_class(name)(density=0.1, **more)
        assert isinstance(made, DynamicMethod)
        found = (made.interval, made.prune_rate, made.decay, made.layers, made.last_update)
        assert found == (1000, 0.5, "cosine", "erk", None)
        if name == "granet":
            assert isinstance(made, Granet)
            assert made.initial_density == 0.5


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("rigl", {"density": 0.0}, "density is 0.0; it must lie in 0 … 1"),
        ("erk", {"density": 1.5}, "density is 1.5; it must lie in 0 … 1"),
        ("dense", {"density": 0.5}, "density is 0.5; that of a dense run is 1"),
        ("rigl", {"interval": 0}, "interval is 0; give 1 step or more"),
        ("rigl", {"prune_rate": 1.0}, "prune_rate is 1.0; it must lie between"),
        ("set", {"prune_rate": 0.0}, "prune_rate is 0.0; it must lie between"),
        ("rigl", {"layers": "er"}, "layers is 'er'; it can be one of erk, uniform"),
        ("rigl", {"decay": "linear"}, "decay is 'linear'; it can be one of cosine, constant"),
        ("rigl", {"last_update": 0}, "last_update is 0; give epoch 1 or later"),
        ("granet", {"until": 0}, "until is 0; give epoch 1 or later"),
        ("granet", {"initial_density": 0.05}, "initial_density is 0.05; it must lie between"),
        ("granet", {"until": 5, "last_update": 4}, "last_update is 4, but until is 5"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(name, wrong, message):
    with pytest.raises(InputError, match=message):
        method(name, **wrong)


@pytest.mark.parametrize(
    ("name", "changes", "ends", "message"),
    [
        ("rigl", {"last_update": 7}, (6, 6), "last_update is 7, but training ends after epochs 6"),
        ("granet", {"until": 7}, (6, 6), "until is 7, but training ends after epochs 6"),
        ("granet", {"until": 5}, (6, 4), "until is 5, but superposing begins after epochs 4"),
    ],
)
def test_a_method_must_fit_into_the_training(name, changes, ends, message):
    with pytest.raises(InputError, match=message):
        method(name, **changes).require_fits(*ends)
    method(name, **changes).require_fits(10, 9)


def test_granet_needs_an_update_before_its_last_epoch_of_pruning():
    granet = method("granet", interval=9)
    with pytest.raises(InputError, match="interval is 9: no update comes before it"):
        granet.updates(18, 3, 0)
    assert granet.updates(40, 4, 0)


@pytest.mark.parametrize("name", SETTINGS)
@settings(deadline=None, max_examples=8)
@given(density=st.floats(0.03, 1), seed=st.integers(0, 2**63 - 1))
def test_a_training_begins_with_the_density_exactly_and_the_network_stays_as_it_was(
    name, density, seed
):
    changes = {"granet": {"initial_density": density, "density": 0.03}, "dense": {}}
    sparse = method(name, **changes.get(name, {"density": density}))
    model = residual_network()
    before = bits(model.state_dict())
    masks = masks_of(sparse, seed)(model)
    assert list(masks) == prunable(model, "conv+linear")
    assert {n: m.shape for n, m in masks.items()} == {
        n: model.get_parameter(n).shape for n in masks
    }
    share = 1.0 if name == "dense" else density
    assert sum(int(m.sum()) for m in masks.values()) == round(share * prunable_weights(model))
    assert bits(model.state_dict()) == before
    assert bits(masks_of(sparse, seed)(model)) == bits(masks)


@pytest.mark.parametrize("name", ["erk", "set", "rigl", "granet"])
def test_layers_begin_with_erk_densities_unless_they_are_to_be_uniform(name):
    model = residual_network()
    masks = masks_of(method(name))(model)
    shapes = {n: m.shape for n, m in masks.items()}
    density = 0.5 if name == "granet" else 0.1
    keep = round(density * prunable_weights(model))
    expected = kept_counts(shapes, erk_densities(shapes, density), keep)
    assert {n: int(m.sum()) for n, m in masks.items()} == expected
    if name in DYNAMIC:
        uniform = masks_of(method(name, layers="uniform"))(model)
        assert all(abs(int(m.sum()) - density * m.numel()) <= 1 for m in uniform.values())


@pytest.mark.parametrize("name", ["uniform", "erk", "rigl"])
def test_random_masks_differ_from_seed_to_seed_alone(name):
    model, sparse = residual_network(), method(name)
    first, second = masks_of(sparse, 0)(model), masks_of(sparse, 1)(model)
    assert bits(first) != bits(second)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        assert bits(masks_of(sparse, 0)(model)) == bits(first)


def test_snip_keeps_the_weights_that_the_first_loss_is_most_sensitive_to():
    """The saliency is |dL/dc| of a factor c = 1 at each weight: |gradient · weight|."""
    model = residual_network()
    masks = masks_of(method("snip"))(model)
    batch = first_batch()
    model.train()
    factors = {n: torch.ones_like(model.get_parameter(n), requires_grad=True) for n in masks}
    weights = {n: model.get_parameter(n).detach() * factors[n] for n in masks}
    logits = torch.func.functional_call(model, weights, (batch.images,))
    loss = nn.functional.cross_entropy(logits, batch.labels)
    saliency = dict(zip(factors, torch.autograd.grad(loss, list(factors.values())), strict=True))
    flat = torch.cat([s.abs().flatten() for s in saliency.values()])
    threshold = flat.sort().values[-round(0.1 * len(flat))]
    wrong = sum(int(((s.abs() >= threshold) != masks[n]).sum()) for n, s in saliency.items())
    assert wrong <= 2  # the two sum in another order, which may swap neighbours


def test_snip_draws_on_the_batch_and_not_on_the_global_random_state():
    compute = Compute(COMPUTE)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(4))
    with torch.no_grad():
        model(torch.zeros(1, 3, 8, 8))
    names = prunable(model, "conv+linear")
    state = torch.get_rng_state()
    made = [
        method("snip").initial_masks(model, names, first_batch, seed, compute) for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), state)
    assert bits(made[0]) == bits(made[1]) != bits(made[2])
