"""Everything that is drawn against density."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from tasks.reporting.imp_pool.figures.accuracy import accuracy, candidates
from tasks.reporting.imp_pool.figures.connectivity import barriers, interpolation
from tasks.reporting.imp_pool.figures.ensembles import ensembles
from tasks.reporting.imp_pool.figures.masks import masks, moved_by_ticket
from tasks.reporting.imp_pool.figures.uncertainty import uncertainty
from tasks.reporting.style import density_axis, styles
from tests.tasks.reporting.drawn import xs, ys
from tests.tasks.reporting.imp_pool.figures.failing import failing
from tests.tasks.reporting.made import METHODS, Made, results

MADE = Made(tickets=4, corruptions=("fog", "snow"))
FIGURES = [accuracy, candidates, barriers, interpolation, ensembles, uncertainty]


@pytest.mark.parametrize("draw", FIGURES)
def test_density_is_on_a_log_axis_that_falls_to_the_right(draw):
    for figure in draw(results(MADE)).values():
        for axis in figure.axes:
            left, right = axis.get_xlim()
            assert axis.get_xscale() == "log"
            assert left > right


@pytest.mark.parametrize("draw", FIGURES)
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_bars_are_named_where_there_are_any(draw, seeds):
    for figure in draw(results(replace(MADE, seeds=seeds))).values():
        title = figure.get_suptitle()
        assert "resnet8 on digits, variant" in title
        named = f"± 1 standard deviation over {len(seeds)} seeds"
        assert (named in title) is (len(seeds) > 1)


@pytest.mark.parametrize("draw", [barriers, interpolation])
def test_a_table_of_one_seed_has_no_bars_though_others_have_more(draw):
    made_results = results(MADE)
    for table in ("barriers", "interpolation"):
        made_results.frames[table] = made_results.frames[table].query("seed == 0")
    for figure in draw(made_results).values():
        assert "standard deviation" not in figure.get_suptitle()


def test_a_variant_looks_the_same_without_the_others():
    both = results(MADE)
    alone = results(MADE)
    alone.frames["barriers"] = alone.frames["barriers"].query("variant == 'no-rewind'")
    of_both, of_one = (barriers(r)["barriers"].axes[0].lines for r in (both, alone))
    assert of_one[0].get_color() in {line.get_color() for line in of_both}
    assert of_one[0].get_color() != of_both[0].get_color()


@pytest.mark.parametrize("count", [1, 2, 6, 9, 19])
def test_few_densities_are_named_and_the_ends_always(count):
    axis = Figure().subplots()
    densities = [0.8**k for k in range(count)]
    density_axis(axis, densities)
    ticks = list(axis.get_xticks())
    assert len(ticks) == min(count, 8)
    assert [ticks[0], ticks[-1]] == pytest.approx([100, 100 * densities[-1]], abs=1e-4)


def test_methods_look_different_and_the_known_ones_always_alike():
    drawn = styles(["ticket", *METHODS])
    looks = [(style.colour, style.marker) for style in drawn.values()]
    assert len(set(looks)) == len(looks)
    assert styles(["ema", "interpolation"])["ema"] == drawn["ema"]


def test_the_lines_between_tickets_lie_end_to_end():
    made = replace(MADE, variants=("base",))
    axis = interpolation(results(made))["interpolation"].axes[0]
    x, y = xs(axis.lines[0]), ys(axis.lines[0])
    assert len(x) == 3 * 11
    assert all(before >= after * (1 - 1e-9) for before, after in pairwise(x))
    rows = made.frames()["interpolation"].query("split == 'test'")
    for a in range(3):
        assert x[11 * a] == pytest.approx(100 * 0.8**a)
        assert x[11 * a + 10] == pytest.approx(100 * 0.8 ** (a + 1))
        for step in range(11):
            point = rows.query("ticket_a == @a and abs(alpha - 1 + @step / 10) < 1e-6")
            assert y[11 * a + step] == pytest.approx(100 * point["error"].mean())


def test_no_line_bridges_the_place_of_a_ticket_that_did_not_converge():
    made_results = failing(replace(MADE, tickets=6, variants=("base",)), ticket=2)
    axis = interpolation(made_results)["interpolation"].axes[0]
    (line,) = axis.lines[:1]
    assert np.isnan(ys(line)).tolist() == [False] * 11 + [True] + [False] * 22
    assert 100 * 0.8**2 not in xs(line)


def test_the_share_of_a_mask_that_moved_weighs_layers_by_their_kept_weights():
    rows = MADE.frames()["layers"].query("method == 'interpolation'")
    moved = moved_by_ticket(rows).set_index(["ticket", "seed"])
    for key, layers in rows.groupby(["ticket", "seed"]):
        kept = layers["weights"] * layers["ticket_density"]
        expected = np.average(layers["moved"], weights=kept)
        assert moved.loc[key, "moved"] == pytest.approx(expected)
        assert moved.loc[key, "density"] == pytest.approx(kept.sum() / layers["weights"].sum())


def test_masks_are_of_the_first_headline_method():
    title = masks(results(replace(MADE, ood=("average", "swa"))))["masks-base"].get_suptitle()
    assert "Lottery Pools (Average)" in title
