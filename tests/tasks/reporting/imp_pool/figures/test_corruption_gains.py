"""What pooling gains on each corruption."""

import pytest

from lp_core.corruptions.names import FAMILIES
from tasks.reporting.imp_pool.figures.corruptions import corrupted_gains, corruptions
from tests.tasks.reporting.drawn import bars
from tests.tasks.reporting.made import Made, results

MADE = Made(tickets=3)


def test_gains_are_over_the_same_seeds_ticket_on_the_same_images():
    keys = ["method", "seed", "ticket", "corruption", "severity"]
    rows = MADE.frames()["ood"].query("variant == 'base'").set_index(keys)["accuracy"]
    gains = corrupted_gains(results(MADE), "base", "swa")
    assert len(gains) == 2 * 3 * 19 * 5
    for row in gains.sample(40, random_state=0).itertuples():
        key = (row.seed, row.ticket, row.corruption, row.severity)
        assert row.gain == pytest.approx(rows[("swa", *key)] - rows[("ticket", *key)])
        assert row.family == FAMILIES[row.corruption]


def test_corruptions_are_sorted_by_what_they_gain():
    axis = corruptions(results(MADE))["corruptions-base"].axes[0]
    widths = [bar.get_width() for bar in bars(axis)]
    assert len(widths) == 19
    assert widths == sorted(widths)
