"""Every figure of sparse training: what it draws, and what it does without rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.sup_tickets.figures import ablations, accuracy, costs, cycles, meeting
from tasks.reporting.sup_tickets.figures.catalogue import CHAPTERS
from tasks.reporting.sup_tickets.figures.diversity import diversity, groups_of
from tasks.reporting.sup_tickets.figures.layers import layers
from tests.tasks.reporting.drawn import bars, xs, ys
from tests.tasks.reporting.made_sup import MadeSup
from tests.tasks.reporting.sup_tickets.results_of import FEW, fail, made_of, results_of

ENTRIES = [entry for chapter in CHAPTERS for entry in chapter.entries]
TWO_DENSITIES = replace(FEW, methods=("dense", "rigl", "rigl-95"))
LOST: list[dict[str, Any]] = [
    {"method": "dense"},
    {"seed": 1},
    {"method": "rigl", "ending": "cia", "seed": 0},
    {"method": "rigl", "ending": "plain", "seed": 0},
]


def _draw(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        figure.set_layout_engine("none")
        figure.draw_without_rendering()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_what_did_not_converge_is_left_out_of_a_figure_that_is_still_drawn(entry):
    whole = entry.draw(results_of(TWO_DENSITIES))
    assert list(whole)
    assert all("resnet8 on digits, variant base" in f.get_suptitle() for f in whole.values())
    frames = made_of(TWO_DENSITIES).frames()
    for lost in LOST:
        drawn = entry.draw(results_of(TWO_DENSITIES, fail(frames, float("nan"), **lost)))
        assert set(drawn) == set(whole), lost
        _draw(drawn)


def test_no_two_figures_have_one_name():
    results = results_of(TWO_DENSITIES)
    names = [name for entry in ENTRIES for name in entry.draw(results)]
    assert len(set(names)) == len(names) == len(ENTRIES)


LEFT = [entry for entry in ENTRIES if entry.draw is not layers]


@pytest.mark.parametrize("entry", LEFT, ids=lambda entry: entry.heading)
def test_a_figure_without_rows_says_why(entry):
    alone = MadeSup(seeds=(0,), methods=("rigl",), endings=("plain",), ablations=(), siblings=0)
    results = results_of(replace(alone, ensembles=(), efficient=(), corruptions=()))
    with pytest.raises(NoData, match=r"[^.]$"):
        entry.draw(results)


@pytest.mark.filterwarnings("error")
def test_one_seed_has_no_bars():
    results = results_of(replace(TWO_DENSITIES, seeds=(0,), ensembles=()))
    for entry in ENTRIES:
        for figure in entry.draw(results).values():
            assert "standard deviation" not in figure.get_suptitle()
            assert "means over" not in figure.get_suptitle()


def test_hollow_is_plain_and_filled_is_superposed():
    figure = accuracy.accuracy(results_of(FEW))["sup-accuracy-base"]
    rows = made_of(FEW).frames()["sup_tickets"].query("split == 'test'")
    left, right = figure.axes
    marks = [
        line for line in left.lines if len(xs(line)) == 1 and line.get_marker() in ("o", "s", "X")
    ]
    shown = {(line.get_markerfacecolor() == "white", float(xs(line)[0])) for line in marks}
    expected = {
        (ending == "plain", round(100 * part["accuracy"].mean(), 6))
        for (_, ending), part in rows.query("ending in ('plain', 'cia')").groupby(
            ["method", "ending"]
        )
    }
    assert {(hollow, round(x, 6)) for hollow, x in shown} == expected
    assert len(bars(right)) == len(FEW.methods)
    assert [text.get_text() for text in left.get_yticklabels()] == [
        "Dense",
        "RigL 10%",
        "GraNet 10%",
    ]


def test_flops_are_a_share_of_the_dense_networks():
    axis = costs.flops(results_of(FEW))["sup-flops-base"].axes[0]
    assert axis.get_xscale() == "log"
    places = {float(x) for line in axis.lines for x in np.atleast_1d(line.get_xdata())}
    assert {26.0, 30.0, 100.0} <= {round(x, 6) for x in places}


def test_the_last_epochs_begin_before_the_endings_part_and_show_every_cycle():
    figure = cycles.last_epochs(results_of(FEW))["sup-cycles-base"]
    assert [axis.get_title() for axis in figure.axes] == ["Dense", "RigL 10%", "GraNet 10%"]
    for axis in figure.axes:
        plain, sup, parting, cheap, average = axis.lines
        assert parting.get_linestyle() == ":"
        assert cheap.get_markersize() > average.get_markersize()
        assert xs(plain).tolist() == xs(sup).tolist() == list(range(21, 31))
        assert ys(plain)[:4].tolist() == ys(sup)[:4].tolist()
        assert xs(parting).tolist() == [24, 24]
        assert xs(cheap).tolist() == xs(average).tolist() == [26, 28, 30]
        shaded = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars(axis))
        assert shaded == [(24, 26), (28, 30)]


def test_ablations_are_drawn_on_the_ablated_methods_alone():
    results = results_of(replace(FEW, ablated=("rigl", "granet")))
    for draw in (ablations.averages, ablations.numbers, ablations.schedules):
        (figure,) = draw(results).values()
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert labels == ["RigL 10%", "GraNet 10%", "Plain ending"]


def test_the_number_of_tickets_stands_beside_their_own_accuracy():
    figure = ablations.numbers(results_of(FEW))["sup-numbers-base"]
    rows = made_of(FEW).frames()["cheap_tickets"].query("method == 'rigl' and split == 'test'")
    right = figure.axes[1].lines[0]
    assert xs(right).tolist() == [1, 2, 3]
    for count, ending, shown in zip(
        (1, 2, 3), ("tickets-1", "tickets-2", "cia"), ys(right), strict=True
    ):
        own = rows[rows["ending"] == ending]
        assert len(own) == 2 * count
        assert shown == pytest.approx(100 * own.groupby("seed")["accuracy"].mean().mean())


def test_diversity_is_of_the_first_endings_tickets_the_seeds_and_the_efficient_ensembles():
    groups = groups_of(results_of(FEW), "base")
    assert [group.label for group in groups] == [
        "Dense: cheap tickets",
        "Dense: other seeds",
        "RigL 10%: cheap tickets",
        "GraNet 10%: cheap tickets",
        "TreeNet",
        "BatchEnsemble",
    ]
    assert set(groups[2].rows["ending"]) == {"cia"}
    (figure,) = diversity(results_of(FEW)).values()
    assert all(axis.get_xlim()[0] == 0 for axis in figure.axes)


def test_an_accepted_sup_ticket_is_filled():
    right = meeting.siblings(results_of(FEW))["sup-siblings-base"].axes[1]
    marks = {line.get_markerfacecolor(): line for line in right.lines if line.get_marker() == "s"}
    hollow = marks.pop("white")
    (filled,) = marks.values()
    assert sorted({round(float(x) / 4) for x in xs(filled)}) == [16, 25]
    assert ys(hollow).tolist() == [0.0] * 4
    places = [*xs(filled), *xs(hollow)]
    assert len({round(float(x), 6) for x in places}) == 8  # two seeds of a ticket lie apart
