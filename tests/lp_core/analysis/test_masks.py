from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lp_core.analysis.masks import LayerChange, compare_masks
from lp_core.tables import TABLES
from tests.lp_core.strategies import tickets


def test_densities_and_the_share_that_moved_are_told_layer_by_layer():
    before = {
        "first": torch.tensor([True, True, True, True, False, False, False, False]),
        "last": torch.tensor([[True, False], [True, False]]),
    }
    after = {
        "last": torch.tensor([[True, False], [True, True]]),
        "first": torch.tensor([True, True, True, False, False, False, True, True]),
    }
    assert compare_masks(before, after) == [
        LayerChange("first", weights=8, ticket_density=0.5, density=0.625, moved=0.25),
        LayerChange("last", weights=4, ticket_density=0.5, density=0.75, moved=0.0),
    ]


@given(pair=st.tuples(tickets(), tickets()))
def test_layers_add_up_to_the_whole_network(pair):
    a, b = pair
    layers = compare_masks(a.mask, b.mask)
    assert [layer.layer for layer in layers] == list(a.mask)
    assert sum(layer.weights for layer in layers) == a.prunable
    assert round(sum(layer.ticket_density * layer.weights for layer in layers)) == a.kept
    assert round(sum(layer.density * layer.weights for layer in layers)) == b.kept
    places = [{(n, *i) for n, m in t.mask.items() for i in np.argwhere(m.numpy())} for t in pair]
    lost = sum(layer.moved * layer.ticket_density * layer.weights for layer in layers)
    assert round(lost) == len(places[0] - places[1])


@given(ticket=tickets())
def test_nothing_moves_from_a_mask_to_itself(ticket):
    for layer in compare_masks(ticket.mask, ticket.mask):
        assert layer.moved == 0
        assert layer.density == layer.ticket_density


def test_in_a_layer_that_kept_nothing_nothing_moved():
    nothing, everything = torch.zeros(3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)
    assert compare_masks({"w": nothing}, {"w": everything}) == [LayerChange("w", 3, 0.0, 1.0, 0.0)]
    assert compare_masks({"w": everything}, {"w": nothing}) == [LayerChange("w", 3, 1.0, 0.0, 1.0)]


def test_the_fields_are_columns_of_the_table_of_layers():
    mask = {"w": torch.ones(2, dtype=torch.bool)}
    assert set(asdict(compare_masks(mask, mask)[0])) <= set(TABLES["layers"].names)


@pytest.mark.parametrize(
    ("after", "named"),
    [
        ({"other": torch.ones(2, dtype=torch.bool)}, r"\['other', 'w'\]"),
        ({"w": torch.ones(3, dtype=torch.bool)}, r"'w' has shape \(2,\) before and \(3,\) after"),
    ],
)
def test_masks_of_different_networks_are_refused(after, named):
    with pytest.raises(ValueError, match=named):
        compare_masks({"w": torch.ones(2, dtype=torch.bool)}, after)
