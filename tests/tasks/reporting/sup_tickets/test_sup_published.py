"""The paper's numbers stand beside numbers of the same setting and no other."""

from dataclasses import replace
from typing import Any

import pytest

from tasks.reporting.sup_tickets.figures.ablations import cycles, schedules
from tasks.reporting.sup_tickets.figures.accuracy import accuracy
from tasks.reporting.sup_tickets.numbers import paper_tables
from tasks.reporting.sup_tickets.published import read_published
from tests.tasks.reporting.drawn import xs
from tests.tasks.reporting.made_sup import MadeSup
from tests.tasks.reporting.sup_tickets.results_of import PUBLISHED, results_of

PAPERS = MadeSup(scale=4, methods=("dense", "rigl"), corruptions=("fog",))
SETTING: dict[str, Any] = {"dataset": "cifar100", "model": "vgg16"}
CIA = {"tickets": 3, "cycle": 8, "average": "cia", "schedule": "triangular"}
CIA |= {"lr1": 0.001, "lr2": 0.005, "prune_rate": 0.5, "batch_norm": "average"}


@pytest.mark.parametrize(
    ("density", "more", "printed"),
    [
        (0.1, {}, [0.7257]),
        (0.05, {}, [0.7131]),
        (0.1, {"tickets": 0}, [0.7220]),
        (0.1, {"cycle": 4, "tickets": 6}, [0.7300]),
        (0.1, {"cycle": 12, "tickets": 2}, [0.7269]),
        (0.1, {"schedule": "swa"}, [0.7277]),
        (0.1, {"cycle": 4}, []),  # three tickets of 4 epochs are half of the paper's time
        (0.1, {"average": "caa"}, []),
        (0.1, {"lr2": 0.05}, []),
        (0.1, {"batch_norm": "re-estimate"}, []),
        (0.3, {}, []),
    ],
)
def test_a_number_is_of_the_papers_ending_alone(density, more, printed):
    published = read_published("cifar100", "vgg16", 250, PUBLISHED)
    assert published.at("rigl", density, CIA | more)["accuracy"].tolist() == printed


def test_imagenet_has_its_own_cycles_and_rates():
    published = read_published("imagenet", "resnet50", 100, PUBLISHED)
    theirs = CIA | {"tickets": 4, "cycle": 2, "lr1": 0.0001, "lr2": 0.0005}
    (row,) = published.at("rigl", 0.1, theirs).itertuples()
    assert (row.accuracy, row.train_fraction) == (0.74, 0.25)
    assert published.at("rigl", 0.1, CIA).empty


@pytest.mark.parametrize("other", [{"epochs": 160}, {"model": "resnet20"}, {"dataset": "digits"}])
def test_another_setting_has_no_published_numbers(other):
    setting = {"dataset": "cifar100", "model": "vgg16", "epochs": 250, "folder": PUBLISHED} | other
    published = read_published(**setting)
    assert published.results.empty
    assert published.diversity.empty


def test_the_papers_numbers_are_drawn_and_printed_where_the_setting_is_the_papers():
    results = results_of(PAPERS, **SETTING)
    (table,) = paper_tables(results)
    rigl = table.rows[1]
    assert rigl[:3] == ["RigL 10%", "10", "72.20 ± 0.09"]
    assert rigl[4] == "72.57 ± 0.29"
    assert table.rows[0][4] == "–"  # a dense network with Sup-tickets is not in the paper
    drawn = {
        name: [
            float(x)
            for line in figure.axes[0].lines
            if line.get_marker() == "d" and line.get_color() == "0.55"
            for x in xs(line)
        ]
        for draw in (accuracy, cycles, schedules)
        for name, figure in draw(results).items()
    }
    assert drawn["sup-accuracy-base"] == pytest.approx([73.61, 72.20, 72.57])
    assert drawn["sup-cycle-length-base"] == pytest.approx([73.00, 72.57, 72.69])
    assert drawn["sup-schedules-base"] == pytest.approx([72.57, 72.47, 72.77])


@pytest.mark.parametrize("made", [MadeSup(), replace(PAPERS, endings=("plain", "caa"))])
def test_they_are_nowhere_else(made):
    results = results_of(made, **SETTING)
    tables = paper_tables(results)
    assert all(cell == "–" for table in tables for row in table.rows for cell in row[4:5])
    if made.scale == 1:
        assert tables == []
