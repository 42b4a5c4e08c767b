"""A recipe holds its own settings, and no other's."""

import json
from dataclasses import fields
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lp_core import faces
from lp_core.errors import InputError
from lp_core.pooling.recipes.ema import Ema
from lp_core.pooling.recipes.ema_newcomer import EmaNewcomer
from lp_core.pooling.recipes.search import Search
from lp_core.pooling.spec import RECIPES, ScoringSpec, recipe_class

SETTINGS: dict[str, dict[str, Any]] = {
    "search": {"candidates": 2, "coefficients": [0.5], "prune": "after"},
    "swa": {"candidates": 2},
    "ema": {"candidates": 2, "decay": 0.9},
    "ema-newcomer": {"candidates": 2, "weight": 0.9},
    "greedy-soup": {"candidates": 2},
    "uniform-soup": {"candidates": 2},
}
every_recipe = pytest.mark.parametrize("name", SETTINGS)


def test_recipes_are_found_by_the_names_that_settings_use():
    assert sorted(faces.names(RECIPES)) == sorted(SETTINGS)


def test_an_unknown_recipe_is_refused_with_those_that_there_are():
    with pytest.raises(InputError, match=r"^recipe 'soup' is unknown; it can be one of .*greedy-s"):
        recipe_class("soup")


@every_recipe
def test_a_recipe_takes_its_own_settings(name):
    recipe = TypeAdapter(recipe_class(name)).validate_json(json.dumps(SETTINGS[name]))
    assert {field.name for field in fields(recipe)} == set(SETTINGS[name])
    assert all(getattr(recipe, key) == value for key, value in SETTINGS[name].items())


@every_recipe
@pytest.mark.parametrize("key", ["coefficients", "prune", "decay", "shape"])
def test_a_setting_that_the_recipe_does_not_have_is_named(name, key):
    if key in SETTINGS[name]:
        return
    with pytest.raises(ValidationError) as error:
        TypeAdapter(recipe_class(name)).validate_json(json.dumps({key: 1}))
    assert [fault["loc"] for fault in error.value.errors()] == [(key,)]


@every_recipe
def test_a_setting_of_the_wrong_type_is_named(name):
    with pytest.raises(ValidationError) as error:
        TypeAdapter(recipe_class(name)).validate_json(json.dumps({"candidates": "two"}))
    assert [fault["loc"] for fault in error.value.errors()] == [("candidates",)]


@every_recipe
def test_no_candidates_at_all_are_refused(name):
    with pytest.raises(InputError, match=r"^candidates is 0; give at least 1, or null for all"):
        recipe_class(name)(candidates=0)


@pytest.mark.parametrize("wrong", [[], [1.0], [0.5, 1.0], [-0.1], [float("nan")]])
def test_a_coefficient_of_1_or_outside_the_line_between_two_tickets_is_refused(wrong):
    with pytest.raises(InputError, match="from 0 up to but not 1, which would leave the") as error:
        Search(coefficients=wrong)
    assert str(error.value).startswith(f"coefficients is {wrong}; give some")


def test_a_coefficient_of_0_takes_the_sibling_in_whole():
    assert Search(coefficients=[0.0, 0.5]).coefficients == [0.0, 0.5]


def test_each_coefficient_is_tried_once():
    with pytest.raises(InputError, match=r"^coefficients is \[0\.5, 0\.5\]; give each once"):
        Search(coefficients=[0.5, 0.5])


@pytest.mark.parametrize(("recipe", "setting"), [(Ema, "decay"), (EmaNewcomer, "weight")])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_0_to_1_is_refused(recipe, setting, wrong):
    with pytest.raises(InputError, match=rf"^{setting} is .*; it must lie between 0 and 1"):
        recipe(**{setting: wrong})


@pytest.mark.parametrize(
    ("setting", "wrong", "told"),
    [
        ("search", "x", "search is 'x'; give halving or exact"),
        ("batch_norm", "x", "batch_norm is 'x'; give re-estimate or average"),
        ("calibration_images", "x", "calibration_images is 'x'; batch norm needs at least 2"),
        ("calibration_images", 1, "calibration_images is 1; batch norm needs at least 2"),
    ],
)
def test_a_way_to_score_that_there_is_not_is_refused(setting, wrong, told):
    with pytest.raises(InputError, match=f"^{told}"):
        ScoringSpec(**{setting: wrong})
