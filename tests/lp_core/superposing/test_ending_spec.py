"""What an ending's settings may be."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from lp_core.errors import InputError
from lp_core.superposing.spec import EndingSpec


def test_published_settings_are_the_defaults():
    spec = EndingSpec(tickets=3)
    assert (spec.cycle, spec.average, spec.schedule, spec.batch_norm) == (
        *(8, "cia", "triangular", "average"),
    )
    assert (spec.lr1, spec.lr2, spec.prune_rate, spec.beta) == (0.001, 0.005, 0.5, 0.8)
    assert spec.superposing == 24


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tickets": -1}, "tickets is -1; give 0"),
        ({"cycle": 0}, "cycle is 0; give 1 epoch or more"),
        ({"average": "mean"}, "average is 'mean'; it can be one of cia, caa, cima, search"),
        ({"schedule": "cosine"}, "schedule is 'cosine'; it can be one of triangular, fge, swa"),
        ({"batch_norm": "keep"}, "batch_norm is 'keep'; it can be one of average, re-estimate"),
        ({"beta": 0.5}, "beta is 0.5, but an average of cia has no such weight: leave it out"),
        ({"average": "cima", "beta": 1.5}, "beta is 1.5; it must lie between 0 and 1"),
        ({"lr1": 0.01}, "lr1 is 0.01 and lr2 is 0.005"),
        ({"lr1": 0.0}, "lr1 is 0.0 and lr2 is 0.005"),
        ({"prune_rate": 1.0}, "prune_rate is 1.0; it must lie in 0 … 1, below 1"),
        ({"tickets": 1, "average": "search"}, "tickets is 1, but a search needs at least 2"),
        (
            {"average": "search", "batch_norm": "re-estimate"},
            "batch_norm is re-estimate, but a search settles the statistics",
        ),
        ({"tickets": 0, "cycle": 4}, "cycle is 4, but an ending of tickets 0 goes on as before"),
        ({"tickets": 0, "average": "cima"}, "average is cima, but an ending of tickets 0"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings, message):
    with pytest.raises(InputError, match=message):
        EndingSpec(**({"tickets": 3} | settings))


def test_cycles_must_fit_between_the_prefix_and_the_end():
    EndingSpec(tickets=3).require_fits(epochs=250, start=226)
    EndingSpec(tickets=0).require_fits(epochs=250, start=250)
    with pytest.raises(
        InputError, match=r"24 epochs, but endings last 20 \(from epoch 230 to 250\)"
    ):
        EndingSpec(tickets=3).require_fits(epochs=250, start=230)


def test_settings_come_from_params_without_conversion():
    adapter = TypeAdapter(EndingSpec)
    text = json.dumps({"tickets": 2, "cycle": 1, "average": "cima", "beta": 0.5})
    assert adapter.validate_json(text) == EndingSpec(tickets=2, cycle=1, average="cima", beta=0.5)
    for wrong in ({"tickets": 2.5}, {"tickets": 2, "rate": 1}, {}):
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(wrong))
