"""Layer densities: RigL's published rule, and exact numbers of weights."""

from fractions import Fraction
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_core.errors import InputError
from lp_core.models.factory import build
from lp_core.models.structure import prunable
from lp_core.sparsity.densities import erk_densities, kept_counts, uniform_densities

shapes = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3),
    st.lists(st.integers(1, 40), min_size=2, max_size=2)
    | st.lists(st.integers(1, 12), min_size=4, max_size=4),
    min_size=1,
    max_size=8,
)
densities = st.floats(0.01, 1)


def rigl_rule(layers: dict[str, tuple[int, ...]], density: float) -> dict[str, Fraction]:
    """The rule in exact arithmetic, found the other way round: layers by descending raw density;
    the first n of them are dense, for the smallest n that leaves nothing above 1 among the rest."""
    sizes = {name: prod(shape) for name, shape in layers.items()}
    raw = {name: Fraction(sum(shape), sizes[name]) for name, shape in layers.items()}
    order = sorted(layers, key=lambda name: -raw[name])
    wanted = Fraction(density) * sum(sizes.values())
    for dense in range(len(order) + 1):
        rest = order[dense:]
        if not rest:
            return dict.fromkeys(layers, Fraction(1))
        left = wanted - sum(sizes[name] for name in order[:dense])
        scale = left / sum(raw[name] * sizes[name] for name in rest)
        if scale * raw[rest[0]] <= 1:
            return {name: scale * raw[name] if name in rest else Fraction(1) for name in layers}
    raise AssertionError


@pytest.fixture(scope="module")
def resnet50_shapes() -> dict[str, tuple[int, ...]]:
    """torchvision's network for ImageNet, classifier included."""
    model = build("resnet50", 1000, 3, 224, seed=0)
    return {n: tuple(model.get_parameter(n).shape) for n in prunable(model, "conv+linear")}


@pytest.mark.parametrize(("density", "dense"), [(0.2, 8), (0.1, 1), (0.05, 0)])
def test_erk_densities_of_resnet50_are_those_of_rigls_published_rule(
    resnet50_shapes, density, dense
):
    """As many layers are dense as in the code of GraNet's and Sup-tickets' authors."""
    assert len(resnet50_shapes) == 54
    assert sum(map(prod, resnet50_shapes.values())) == 25_502_912
    ours, theirs = erk_densities(resnet50_shapes, density), rigl_rule(resnet50_shapes, density)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), rel=1e-12)
        assert (ours[name] == 1) == (value == 1)
    assert sum(value == 1 for value in ours.values()) == dense
    counts = kept_counts(resnet50_shapes, ours, round(density * 25_502_912))
    assert sum(counts.values()) == round(density * 25_502_912)
    for name, shape in resnet50_shapes.items():
        assert abs(counts[name] - float(theirs[name]) * prod(shape)) < 1


@given(shapes, densities)
def test_erk_densities_of_any_network_are_those_of_the_rule(layers, density):
    ours, theirs = erk_densities(layers, density), rigl_rule(layers, density)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), rel=1e-9)
        assert 0 < ours[name] <= 1 + 1e-12


@given(shapes, densities, st.sampled_from([erk_densities, uniform_densities]))
def test_layers_keep_whole_numbers_that_sum_to_the_density_exactly(layers, density, rule):
    keep = round(density * sum(map(prod, layers.values())))
    shares = rule(layers, density)
    try:
        counts = kept_counts(layers, shares, keep)
    except InputError:  # a layer so small that nothing is left of it
        assert min(shares[name] * prod(shape) for name, shape in layers.items()) < 1
        return
    assert sum(counts.values()) == keep
    for name, shape in layers.items():
        assert 1 <= counts[name] <= prod(shape)
        assert abs(counts[name] - shares[name] * prod(shape)) < 1


def test_the_rest_goes_to_the_layers_that_lost_most_by_rounding():
    layers = {"a": (10, 1), "b": (10, 1), "c": (10, 1)}
    assert kept_counts(layers, {"a": 0.12, "b": 0.18, "c": 0.15}, 4) == {"a": 1, "b": 2, "c": 1}
    assert kept_counts(layers, dict.fromkeys(layers, 0.15), 4) == {"a": 2, "b": 1, "c": 1}


@pytest.mark.parametrize("rule", [erk_densities, uniform_densities])
def test_all_weights_are_all_weights(rule):
    layers = {"conv": (8, 3, 3, 3), "fc": (4, 8)}
    assert rule(layers, 1.0) == {"conv": 1.0, "fc": 1.0}
    assert kept_counts(layers, rule(layers, 1.0), 248) == {"conv": 216, "fc": 32}


@pytest.mark.parametrize("rule", [erk_densities, uniform_densities])
@pytest.mark.parametrize("density", [0.0, -0.1, 1.1, float("nan")])
def test_a_density_outside_0_to_1_is_refused(rule, density):
    with pytest.raises(InputError, match=r"density is .*; it must lie in 0 … 1"):
        rule({"fc": (4, 8)}, density)


def test_a_layer_without_any_weight_is_refused_by_name():
    layers = {"conv": (8, 3, 3, 3), "fc": (2, 2)}
    with pytest.raises(InputError, match=r"density is too small: at 0.01 .* of the 4 of fc"):
        kept_counts(layers, uniform_densities(layers, 0.01), 2)
