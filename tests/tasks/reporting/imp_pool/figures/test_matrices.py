"""Every ticket against every other."""

import numpy as np
import pandas as pd
import pytest

from tasks.reporting.imp_pool.figures.matrices import (
    disagreement,
    heatmap,
    heatmap_gain,
    pair_gains,
)
from tasks.reporting.style import flattest
from tests.tasks.reporting.imp_pool.figures.failing import failing
from tests.tasks.reporting.made import Made, results

MADE = Made(tickets=4)


def _panels(figure, count):
    """The numbers of each panel, rows from the top."""
    return [axis.collections[0].get_array().filled(np.nan) for axis in figure.axes[:count]]


def test_a_pairs_gain_is_over_the_sparser_ticket_of_its_seed():
    rows = [
        # seed, a, b, accuracy
        (0, 0, 0, 0.90),
        (0, 0, 1, 0.92),
        (0, 1, 1, 0.80),
        (1, 0, 0, 0.50),
        (1, 0, 1, 0.55),
        (1, 1, 1, 0.60),
    ]
    frame = pd.DataFrame(rows, columns=["seed", "ticket_a", "ticket_b", "accuracy"])
    frame["variant"] = "base"
    assert pair_gains(frame)["gain"].tolist() == pytest.approx([0, 0.12, 0, 0, -0.05, 0])


def test_a_cell_is_the_mean_over_seeds_and_stands_on_both_sides():
    rows = MADE.frames()["heatmap"].query("variant == 'base'")
    panel = _panels(heatmap(results(MADE))["heatmap"], 1)[0]
    for a in range(4):
        for b in range(a, 4):
            mean = rows.query("ticket_a == @a and ticket_b == @b")["accuracy"].mean()
            assert panel[a, b] == panel[b, a] == pytest.approx(100 * mean)


def test_the_tickets_themselves_gain_nothing():
    for panel in _panels(heatmap_gain(results(MADE))["heatmap-gain"], 2):
        assert np.diag(panel).tolist() == [0.0] * 4
        assert np.abs(panel).max() > 0


def test_all_panels_share_one_scale_and_gains_are_centred():
    for name, draw in (("heatmap", heatmap), ("heatmap-gain", heatmap_gain)):
        panels = draw(results(MADE))[name].axes[:2]
        scales = {axis.collections[0].get_clim() for axis in panels}
        assert len(scales) == 1
        low, high = scales.pop()
        assert low < high
        if name == "heatmap-gain":
            assert low == -high


def test_an_infinite_divergence_is_grey_and_shapes_no_scale():
    made_results = results(MADE)
    kl = made_results.frames["disagreement"]
    kl.loc[(kl["ticket_a"] == 0) & (kl["ticket_b"] == 3) & (kl["variant"] == "base"), "kl"] = np.inf
    axis = disagreement(made_results)["disagreement-kl"].axes[0]
    cells = axis.collections[0]
    grey = [(0, 0), (0, 3), (1, 1), (2, 2), (3, 3)]
    shown = cells.get_array()
    assert shown is not None
    assert [tuple(cell) for cell in np.argwhere(np.ma.getmaskarray(shown))] == grey
    others = kl[np.isfinite(kl["kl"]) & (kl["ticket_a"] != kl["ticket_b"])]
    means = others.groupby(["variant", "ticket_a", "ticket_b"])["kl"].mean()
    assert cells.get_clim() == pytest.approx((means.min(), means.max()))
    assert len(axis.texts) == 16 - len(grey)


@pytest.mark.parametrize("draw", [heatmap, heatmap_gain, disagreement])
def test_a_ticket_that_did_not_converge_is_grey_in_its_own_panel_alone(draw):
    for figure in draw(failing(MADE, variant="no-rewind", ticket=1)).values():
        whole, lost = _panels(figure, 2)
        assert np.isnan(lost[1]).all()
        assert np.isnan(lost[:, 1]).all()
        off = ~np.eye(4, dtype=bool)
        assert np.isfinite(whole[off]).all()
        assert np.isnan(lost[off]).sum() == 6
        labels = [[text.get_text() for text in axis.get_xticklabels()] for axis in figure.axes[:2]]
        assert labels == [["100", "80", "64", "51.2"], ["100", "–", "64", "51.2"]]
        assert "grey" in figure.get_suptitle()


@pytest.mark.parametrize("draw", [heatmap, heatmap_gain, disagreement])
def test_one_seed_is_enough_for_a_cell(draw):
    for figure in draw(failing(MADE, seed=1, ticket=1)).values():
        assert "grey" not in figure.get_suptitle()


def test_a_scale_is_flat_where_a_panel_would_take_little_of_it():
    assert flattest({"a": (0.70, 0.75), "b": (0.10, 0.75)}) == "a"
    assert flattest({"a": (0.50, 0.75), "b": (0.10, 0.75)}) is None
    assert flattest({"a": (0.50, 0.75), "b": (0.10, 0.75)}, share=0.5) == "a"
    assert flattest({"a": (0.70, 0.75)}) is None
