"""The table of gains, by hand: two seeds, two tickets, one method, two corruptions."""

import math
from typing import Any

import pandas as pd
import pytest

from tasks.reporting.imp_pool.summary import (
    Frames,
    accuracy_by_density,
    gains,
    metrics,
    paired_tests,
    summary,
)

RUN = {"dataset": "digits", "model": "resnet8", "variant": "base"}
# (seed, ticket): test accuracy of the ticket, and of the pooled one.
TEST = {(0, 0): (0.90, 0.92), (0, 1): (0.80, 0.79), (1, 0): (0.94, 0.94), (1, 1): (0.70, 0.75)}
# … and on the two corruptions.
CORRUPTED = {
    (0, 0): ((0.5, 0.3), (0.6, 0.4)),
    (0, 1): ((0.4, 0.2), (0.4, 0.2)),
    (1, 0): ((0.5, 0.5), (0.5, 0.3)),
    (1, 1): ((0.2, 0.0), (0.3, 0.1)),
}
DENSITY = {0: 1.0, 1: 0.8}


def make_frames(variant: str = "base", seeds: tuple[int, ...] = (0, 1)) -> Frames:
    tickets: list[dict[str, Any]] = []
    pools: list[dict[str, Any]] = []
    ood: list[dict[str, Any]] = []
    for (seed, ticket), (alone, pooled) in TEST.items():
        if seed not in seeds:
            continue
        run = RUN | {"variant": variant, "seed": seed, "ticket": ticket}
        run |= {"density": DENSITY[ticket]}
        for split, more in (("test", 0.0), ("val", 0.05)):
            tickets.append(run | {"split": split, "accuracy": alone + more})
            gain = pooled - alone
            row = {"method": "swa", "split": split, "accuracy": pooled + more, "gain": gain}
            pools.append(run | row)
        for method, accuracies in zip(("ticket", "swa"), CORRUPTED[seed, ticket], strict=True):
            for corruption, accuracy in zip(("fog", "snow"), accuracies, strict=True):
                row = {"method": method, "corruption": corruption, "severity": 1}
                ood.append(run | row | {"accuracy": accuracy})
    barriers = [
        RUN | {"variant": variant, "seed": seed, "split": split, "error_barrier": height}
        for seed in seeds
        for split, height in (("test", 0.1 + seed / 10), ("val", 0.9))
    ]
    return {
        "tickets": pd.DataFrame(tickets),
        "pools": pd.DataFrame(pools),
        "ood": pd.DataFrame(ood),
        "barriers": pd.DataFrame(barriers),
    }


def _only(frame: pd.DataFrame, **where: object) -> Any:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.mark.parametrize(
    ("method", "ticket", "images", "first", "second"),
    [
        ("ticket", 0, "test", 0.90, 0.94),
        ("ticket", 1, "test", 0.80, 0.70),
        ("swa", 0, "test", 0.92, 0.94),
        ("swa", 1, "test", 0.79, 0.75),
        ("ticket", 0, "corrupted", 0.4, 0.5),
        ("ticket", 1, "corrupted", 0.3, 0.1),
        ("swa", 0, "corrupted", 0.5, 0.4),
        ("swa", 1, "corrupted", 0.3, 0.2),
    ],
)
def test_accuracies_are_means_over_seeds(method, ticket, images, first, second):
    row = _only(accuracy_by_density(make_frames()), method=method, ticket=ticket, images=images)
    assert row["mean"] == pytest.approx((first + second) / 2)
    # Of two numbers, the sample's standard deviation is their distance over √2.
    assert row["std"] == pytest.approx(abs(first - second) / math.sqrt(2))
    assert row["density"] == DENSITY[ticket]


def test_the_held_out_split_stays_out_of_the_summary():
    frames = make_frames()
    without = {n: f if "split" not in f else f[f["split"] == "test"] for n, f in frames.items()}
    assert accuracy_by_density(frames).equals(accuracy_by_density(without))
    assert gains(frames).equals(gains(without))
    assert summary(frames) == summary(without)


def test_a_gain_is_over_the_same_seeds_ticket_of_the_same_density():
    rows = gains(make_frames())
    expected = {
        (0, 0, "test"): 0.02,
        (0, 1, "test"): -0.01,
        (1, 0, "test"): 0.0,
        (1, 1, "test"): 0.05,
        (0, 0, "corrupted"): 0.1,
        (0, 1, "corrupted"): 0.0,
        (1, 0, "corrupted"): -0.1,
        (1, 1, "corrupted"): 0.1,
    }
    assert len(rows) == len(expected)
    for (seed, ticket, images), gain in expected.items():
        assert _only(rows, seed=seed, ticket=ticket, images=images)["gain"] == pytest.approx(gain)


def test_metrics_are_means_over_tickets_and_seeds():
    assert metrics(make_frames()) == {
        "base": {
            "test": {
                "ticket_accuracy": 0.835,
                "gain_swa": 0.015,
                "error_barrier_mean": 0.15,
                "error_barrier_max": 0.2,
            },
            "corrupted": {"ticket_accuracy": 0.325, "gain_swa": 0.025},
        }
    }


def test_the_paired_test_is_wilcoxons_over_seeds_and_densities():
    """Of four gains (2, -1, 0, 5 points) the zero is dropped, and the others' signs and ranks make
    a rank sum of 5 of 6: as far out as (1 of 6), and further, fall 4 of the 8 signings."""
    row = _only(paired_tests(make_frames()), method="swa", images="test")
    assert row["pairs"] == 4
    assert row["gain"] == pytest.approx(0.015)
    assert row["p"] == pytest.approx(4 / 8)


def test_gains_of_as_many_images_are_ties():
    """Three gains of one image in 360 and one loss of one: as floats, the loss is the largest."""
    counts = [(300, 301), (310, 311), (340, 341), (20, 19)]
    gain = [after / 360 - before / 360 for before, after in counts]
    assert abs(gain[3]) > max(gain[:3])
    frames = make_frames()
    frames["pools"].loc[frames["pools"]["split"] == "test", "gain"] = gain
    # All of one rank: of the 16 signings, 5 have one loss or none, and 5 have one gain or none.
    assert _only(paired_tests(frames), method="swa", images="test")["p"] == pytest.approx(10 / 16)


def test_where_nothing_differs_nothing_is_shown():
    frames = make_frames()
    frames["pools"]["gain"] = 0.0
    assert _only(paired_tests(frames), method="swa", images="test")["p"] == 1


def test_a_method_without_corrupted_images_is_listed_below_the_table():
    frames = make_frames()
    soup = frames["pools"].assign(method="soup", gain=frames["pools"]["gain"] + 0.01)
    frames["pools"] = pd.concat([frames["pools"], soup], ignore_index=True)
    text = summary(frames)
    assert text.count("| density | ticket | swa |") == 2
    assert "Mean gain of the other methods, in points: soup +2.50." in text


def test_a_variant_that_is_not_pooled_has_its_tickets_in_the_summary():
    frames, more = make_frames(), make_frames("no-rewind")
    for name in ("tickets", "barriers"):
        frames[name] = pd.concat([frames[name], more[name]], ignore_index=True)
    text = summary(frames)
    assert "variant no-rewind: test accuracy of tickets in %** (mean" in text
    assert "| 80.0% | 75.00 ± 7.07 |\n" in text
    assert metrics(frames)["no-rewind"]["test"]["error_barrier_max"] == 0.2


def test_the_summary_is_in_percent_and_points():
    text = summary(make_frames())
    assert "**digits, resnet8, variant base: test accuracy" in text
    assert "(mean ± std over 2 seeds)" in text
    rows = [line for line in text.splitlines() if line.startswith("| ") and "%" in line]
    assert rows == [
        "| 100.0% | 92.00 ± 2.83 | +1.00 ± 1.41 |",
        "| 80.0% | 75.00 ± 7.07 | +2.00 ± 4.24 |",
        "| 100.0% | 45.00 ± 7.07 | +0.00 ± 14.14 |",
        "| 80.0% | 20.00 ± 14.14 | +5.00 ± 7.07 |",
    ]
    assert [line for line in text.splitlines() if line.startswith("| all")] == [
        "| all | 83.50 | +1.50 |",
        "| all | 32.50 | +2.50 |",
    ]


def test_one_seed_has_no_deviation():
    text = summary(make_frames(seeds=(0,)))
    assert "±" not in text
    assert "nan" not in text
    assert "(mean over 1 seed)" in text
    assert "| 80.0% | 80.00 | -1.00 |" in text


def test_variants_are_kept_apart():
    both = {
        name: pd.concat([frame, make_frames("other", (0,))[name]], ignore_index=True)
        for name, frame in make_frames().items()
    }
    assert metrics(both)["base"] == metrics(make_frames())["base"]
    assert metrics(both)["other"] == metrics(make_frames("other", (0,)))["other"]
    text = summary(both)
    assert text.index("variant base") < text.index("variant other")
