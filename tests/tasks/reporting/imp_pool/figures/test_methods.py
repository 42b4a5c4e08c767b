"""Methods find their figure by their settings."""

from dataclasses import asdict, replace

import pytest

from lp_core.pooling.recipes.search import Search
from tasks.reporting.imp_pool.figures.methods import (
    SEARCH_DEFAULTS,
    first_search,
    of_recipe,
    varying,
)
from tasks.reporting.no_data import NoData
from tests.tasks.reporting.made import METHODS, Made, results

ALL = results(Made(tickets=2, seeds=(0,)))


def test_an_ablation_is_ordered_and_named_by_its_setting():
    assert varying(ALL, "candidates") == {
        "candidates-1": "1 nearest",
        "candidates-2": "2 nearest",
        "interpolation": "All tickets",
    }
    assert varying(ALL, "coefficients") == {
        "average": "1 coefficient",
        "coefficients-3": "3 coefficients",
        "coefficients-7": "7 coefficients",
        "interpolation": "11 coefficients",
    }
    assert varying(ALL, "prune") == {
        "interpolation": "Prune during",
        "prune-after": "Prune after",
    }


def test_a_method_that_differs_in_two_settings_is_in_no_ablation(monkeypatch):
    both = {"recipe": "search", "candidates": 3, "prune": "after"}
    monkeypatch.setitem(METHODS, "both", both)
    made_results = results(Made(tickets=2, seeds=(0,), methods=(*METHODS,)))
    assert "both" in made_results.methods
    assert not any(
        "both" in varying(made_results, s) for s in ("candidates", "coefficients", "prune")
    )


def test_methods_of_as_many_coefficients_are_told_apart_by_their_names(monkeypatch):
    quarters = {"recipe": "search", "coefficients": [0.25, 0.5, 0.75]}
    monkeypatch.setitem(METHODS, "quarters", quarters)
    made_results = results(Made(tickets=2, seeds=(0,), methods=(*METHODS,)))
    assert varying(made_results, "coefficients") == {
        "average": "1 coefficient",
        "coefficients-3": "3 coefficients (coefficients-3)",
        "quarters": "3 coefficients (quarters)",
        "coefficients-7": "7 coefficients",
        "interpolation": "11 coefficients",
    }


def test_ablations_are_compared_with_the_first_search():
    made = replace(Made(tickets=2, seeds=(0,)), methods=("swa", "average", "prune-after"))
    assert first_search(results(made)) == "average"
    with pytest.raises(NoData, match="`prune` alone"):
        varying(results(made), "prune")
    with pytest.raises(NoData, match="no method of recipe `search`"):
        first_search(results(replace(made, methods=("swa", "ema"))))


def test_recipes_are_found_whatever_the_methods_are_called(monkeypatch):
    monkeypatch.setitem(METHODS, "broth", {"recipe": "greedy-soup"})
    made_results = results(Made(tickets=2, seeds=(0,), methods=("interpolation", "broth")))
    assert of_recipe(made_results, "greedy-soup", "uniform-soup").keys() == {"broth"}


def test_settings_that_the_params_leave_out_are_the_recipes_own():
    assert asdict(Search()) | SEARCH_DEFAULTS == asdict(Search())


def test_a_recipe_that_nobody_knows_has_a_place_in_the_report(monkeypatch):
    monkeypatch.setitem(METHODS, "novel", {"recipe": "novel", "depth": [1, {"two": 2}]})
    new = results(Made(tickets=2, seeds=(0,), methods=(*METHODS,)))
    assert varying(new, "prune") == varying(ALL, "prune")
    assert of_recipe(new, "novel") == {"novel": METHODS["novel"]}
