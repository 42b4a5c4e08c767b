"""Every figure of an experiment from which tickets, seeds or a variant are missing."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tasks.reporting.imp_pool.figures.catalogue import CHAPTERS
from tasks.reporting.imp_pool.figures.connectivity import barriers, interpolation
from tasks.reporting.imp_pool.figures.matrices import disagreement
from tasks.reporting.imp_pool.figures.uncertainty import uncertainty
from tests.tasks.reporting.imp_pool.figures.failing import failing
from tests.tasks.reporting.made import Made, results

MADE = Made(tickets=4, pooled=("base", "no-rewind"), corruptions=("fog", "snow"))
ENTRIES = [entry for chapter in CHAPTERS for entry in chapter.entries]
LOST: list[dict[str, Any]] = [
    {"ticket": 0},
    {"variant": "base", "seed": 0},
    {"variant": "no-rewind", "ticket": 1},
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_what_did_not_converge_is_left_out_of_a_figure_that_is_still_drawn(entry):
    whole = set(entry.draw(results(MADE)))
    for where in LOST:
        drawn = entry.draw(failing(MADE, **where))
        assert set(drawn) == whole, where
        _draw(drawn)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_a_variant_without_converged_tickets_is_in_no_figure(entry):
    drawn = entry.draw(failing(MADE, variant="base"))
    assert drawn
    assert not any(name.endswith("-base") for name in drawn)
    assert not any("base" in figure.get_suptitle() for figure in drawn.values())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("draw", [interpolation, barriers, disagreement, uncertainty])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_drawn_as_nothing(value, draw):
    made_results = results(MADE)
    for name in ("tickets", "pools", "ood", "interpolation", "barriers", "disagreement"):
        frame = made_results.frames[name]
        for column in {"nll", "ece", "loss", "kl", "error_barrier"} & set(frame):
            frame.loc[frame["seed"] == 0, column] = value
    _draw(draw(made_results))


def _draw(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        figure.set_layout_engine("none")  # most of the time, and of no concern here
        figure.draw_without_rendering()
