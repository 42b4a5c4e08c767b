"""Endings and methods find their figure by their settings."""

from dataclasses import asdict

import pytest

from lp_core.superposing import EndingSpec
from tasks.reporting.no_data import NoData
from tasks.reporting.sup_tickets.endings import DEFAULTS, Endings
from tasks.reporting.sup_tickets.methods import methods
from tests.tasks.reporting.made_sup import ENDING, TRAINING

ALL = Endings(ENDING, list(ENDING))


def test_settings_that_the_params_leave_out_are_the_endings_own():
    assert asdict(EndingSpec(tickets=3)) == DEFAULTS | {"tickets": 3}


def test_an_ablation_varies_one_setting_of_the_first_ending():
    assert (ALL.plain, ALL.first) == ("plain", "cia")
    assert ALL.averages() == {
        "cia": "CIA",
        "caa": "CAA",
        "cima": "CIMA, β = 0.8",
        "cima-0.5": "CIMA, β = 0.5",
    }
    assert ALL.cycles() == {
        "cycle-1": "1 epoch (6 tickets)",
        "cia": "2 epochs (3 tickets)",
        "cycle-3": "3 epochs (2 tickets)",
    }
    assert ALL.numbers() == {"tickets-1": 1, "tickets-2": 2, "cia": 3}
    assert list(ALL.schedules()) == ["cia", "fge", "swa"]
    assert list(ALL.batch_norms()) == ["cia", "re-estimate"]
    assert list(ALL.explorations()) == ["unexplored", "cia"]
    assert ALL.searches() == [("re-estimate", "search")]


def test_an_ending_that_differs_in_two_settings_is_in_no_ablation():
    both = {"tickets": 3, "cycle": 2, "average": "caa", "schedule": "swa"}
    more = Endings(ENDING | {"both": both}, [*ENDING, "both"])
    assert "both" not in {*more.averages(), *more.schedules(), *more.cycles(), *more.numbers()}


def test_a_search_is_held_against_cia_whatever_the_statistics_of_batch_norm():
    first = {"tickets": 3, "cycle": 2, "batch_norm": "re-estimate"}
    search = {"tickets": 3, "cycle": 2, "average": "search"}
    given = {"re": first, "search": search}
    assert Endings(given, list(given)).searches() == [("re", "search")]


@pytest.mark.parametrize(
    ("endings", "words"),
    [
        ({"cia": {}, "other": {"lr1": 0.1}, "search": {"average": "search", "lr2": 0.01}}, "`lr2`"),
        ({"cia": {}}, "has `average: search`"),
        ({"search": {"average": "search"}}, "has `average: cia`"),
    ],
)
def test_a_search_with_nothing_beside_it_says_what_keeps_it_apart(endings, words):
    given = {name: {"tickets": 3} | settings for name, settings in endings.items()}
    with pytest.raises(NoData, match=words) as reason:
        Endings(given, list(given)).searches()
    assert ("`search` differs from `cia` in `lr2` as well" in str(reason.value)) is (
        "other" in endings
    )


@pytest.mark.parametrize("name", ["averages", "cycles", "numbers", "schedules", "batch_norms"])
def test_without_endings_to_compare_the_reader_is_told(name):
    few = Endings(ENDING, ["plain", "cia"])
    with pytest.raises(NoData, match="`cia`"):
        getattr(few, name)()
    with pytest.raises(NoData, match="cheap tickets"):
        getattr(Endings(ENDING, ["plain"]), name)()


def test_a_method_is_called_by_its_recipe_and_density():
    named = methods(TRAINING | {"again": {"recipe": "rigl", "density": 0.1}})
    labels = {name: method.label for name, method in named.items()}
    assert labels == {
        "dense": "Dense",
        "erk": "ERK 10%",
        "set": "SET 10%",
        "rigl": "RigL 10% (rigl)",
        "rigl-95": "RigL 5%",
        "granet": "GraNet 10%",
        "again": "RigL 10% (again)",
    }
    assert named["rigl-95"].family == "RigL"


def test_methods_look_different_also_those_that_nobody_knows():
    densities = (0.2, 0.1, 0.05)
    recipes = ("uniform", "erk", "snip", "set", "rigl", "granet", "novel")
    many = {f"{r}-{d}": {"recipe": r, "density": d} for r in recipes for d in densities}
    looks = [(m.style.colour, m.style.marker) for m in methods(many).values()]
    assert len(set(looks)) == len(looks) == 21
