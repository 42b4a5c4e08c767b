"""A method says what it does: no setting of it goes unread."""

import pytest

from lp_core.pooling.spec import MethodSpec

RECIPES = ["search", "swa", "ema", "greedy-soup", "uniform-soup"]
READERS = {"coefficients": "search", "prune": "search", "decay": "ema"}
OTHERS = {"coefficients": [0.5], "prune": "after", "decay": 0.9}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", READERS)
def test_a_setting_that_the_recipe_does_not_read_is_refused(recipe, name):
    settings = {name: OTHERS[name]}
    if recipe == READERS[name]:
        assert getattr(MethodSpec(recipe, **settings), name) == OTHERS[name]
        return
    with pytest.raises(ValueError, match=f"^{name} is ") as error:
        MethodSpec(recipe, **settings)
    assert str(error.value).endswith(
        f"{name} is {OTHERS[name]!r}, but recipe {recipe} does not read it; "
        f"remove it, or give recipe: {READERS[name]}"
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_takes_a_number_of_candidates(recipe):
    assert MethodSpec(recipe, candidates=2).candidates == 2


@pytest.mark.parametrize("wrong", [[], [1.0], [0.5, 1.0], [-0.1], [float("nan")]])
def test_a_coefficient_of_1_or_outside_the_line_between_two_tickets_is_refused(wrong):
    with pytest.raises(ValueError, match="from 0 up to but not 1, which would leave the") as error:
        MethodSpec(coefficients=wrong)
    assert str(error.value).startswith(f"coefficients is {wrong}; give some")


def test_a_coefficient_of_0_takes_the_sibling_in_whole():
    assert MethodSpec(coefficients=[0.0, 0.5]).coefficients == [0.0, 0.5]


def test_each_coefficient_is_tried_once():
    with pytest.raises(ValueError, match=r"^coefficients is \[0\.5, 0\.5\]; give each once"):
        MethodSpec(coefficients=[0.5, 0.5])
