"""The sentences follow the numbers, whatever they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reporting.sup_tickets.headline import (
    best,
    costs,
    gain,
    gain_on_corrupted,
    search,
    sentences,
    siblings,
)
from tests.tasks.reporting.made_sup import MadeSup
from tests.tasks.reporting.sup_tickets.results_of import FEW, made_of, results_of, where

FRAMES = made_of(FEW).frames()


def _with_gains(gains: dict[tuple[str, int], float]) -> list[str]:
    """What is said where the endings `cia` gain so much, by method and seed."""
    frames = {name: frame.copy() for name, frame in FRAMES.items()}
    table = frames["sup_tickets"]
    for (method, seed), more in gains.items():
        run = {"method": method, "seed": seed, "split": "test"}
        (plain,) = table.loc[where(table, ending="plain", **run), "accuracy"]
        table.loc[where(table, ending="cia", **run), "accuracy"] = plain + more
    return gain(results_of(FEW, frames), "base")


RUNS = [("rigl", 0), ("rigl", 1), ("granet", 0), ("granet", 1)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-300, 300), min_size=4, max_size=4))
def test_the_gain_is_a_mean_over_pairs_and_its_spread_over_seeds(points):
    (sentence,) = _with_gains(dict(zip(RUNS, [p / 1e4 for p in points], strict=True)))
    mean = sum(points) / 400
    shown = f"{mean:+.2f}".replace("-", "−") if round(mean, 2) else "+0.00"
    seeds = [(points[k] + points[k + 2]) / 200 for k in (0, 1)]
    assert (
        f"{shown} points of test accuracy on average" in sentence or sum(points) % 4 == 2
    )  # a tie
    better = sum(p > 0 for p in points)
    assert f"a gain in {better} of 4 pairs of a sparse method and a seed" in sentence
    assert sentence.startswith("Over the sparse methods")
    assert "two seeds" in sentence
    agree = all(s > 0 for s in seeds) or all(s < 0 for s in seeds)
    assert ("equal signs are a coin toss" in sentence) is agree
    assert ("the signs do not even agree" in sentence) is not agree
    same = sum(p == 0 for p in points)
    assert ("no difference in" in sentence) is (same > 0)


def test_the_dense_network_is_part_of_no_mean():
    (sentence,) = _with_gains({("dense", 0): 0.5, ("dense", 1): 0.5})
    said, dense = sentence.split(" The dense network")
    assert said == gain(results_of(FEW), "base")[0].split(" The dense network")[0]
    assert dense == ", which is not in this mean: +50.00 points."


def test_of_three_equal_signs_the_share_by_chance_is_named():
    (sentence,) = gain(results_of(MadeSup(seeds=(0, 1, 2), methods=("rigl",), gain=0.3)), "base")
    assert "chance alone gives equal signs in 25% of cases" in sentence
    assert "dense" not in sentence


def test_what_corrupted_images_are_follows_the_gain_on_them():
    lines = sentences(results_of(FEW), [])
    (place,) = [k for k, line in enumerate(lines) if line.startswith("Corrupted images:")]
    assert lines[place - 2].startswith("Over the sparse methods")
    assert [lines[place - 1]] == gain_on_corrupted(results_of(FEW), "base")
    rows = FRAMES["ood"].query("method != 'dense'")
    means = rows.groupby(["ending", "method", "seed"])["accuracy"].mean()
    gains = (means["cia"] - means["plain"]).round(9)
    shown = f"{100 * gains.mean():+.2f}".replace("-", "−")
    assert f"{shown} points of accuracy" in lines[place - 1]
    assert f"a gain in {(gains > 0).sum()} of 4 pairs" in lines[place - 1]
    without = sentences(results_of(MadeSup(corruptions=(), ablations=())), [])
    assert not any("orrupted images" in line for line in without)


def test_one_seed_says_nothing_of_chance():
    (sentence,) = gain(results_of(MadeSup(seeds=(0,), ablations=())), "base")
    assert "one seed" in sentence
    assert "standard deviation" not in sentence


@pytest.mark.parametrize(("more", "words"), [(0.2, "points above"), (-0.5, "points below")])
def test_the_best_method_is_chosen_on_held_out_images(more, words):
    frames = {name: frame.copy() for name, frame in FRAMES.items()}
    table = frames["sup_tickets"]
    chosen = where(table, method="rigl", ending="plain")
    table.loc[chosen & where(table, split="val"), "accuracy"] = 0.99
    table.loc[chosen & where(table, split="test"), "accuracy"] = 0.76 + more
    (sentence,) = best(results_of(FEW, frames), "base")
    assert f"RigL 10% with ending plain, has {100 * (0.76 + more):.2f}%" in sentence
    assert words in sentence


def test_flops_are_named_by_method():
    (sentence,) = costs(results_of(FEW), "base")
    assert "RigL 10% 26.0%, GraNet 10% 30.0%" in sentence
    assert "Dense" not in sentence
    assert "costs the superposed ticket as much as the plain one" in sentence


def test_a_superposed_ticket_that_costs_more_is_named():
    frames = {name: frame.copy() for name, frame in FRAMES.items()}
    table = frames["sup_tickets"]
    for method, more in (("rigl", 0.012), ("granet", -0.02)):
        table.loc[where(table, method=method, ending="cia"), "test_fraction"] += more
    (sentence,) = costs(results_of(FEW, frames), "base")
    assert "by up to −2.00 points (GraNet 10%)" in sentence


def test_the_search_is_held_against_cia_of_the_same_run():
    (sentence,) = search(results_of(FEW))
    rows = FRAMES["sup_tickets"].query("split == 'test' and method == 'rigl'")
    wide = rows.pivot(index="seed", columns="ending", values="accuracy")
    gains = wide["search"] - wide["re-estimate"]
    assert f"{100 * gains.mean():+.2f}".replace("-", "−") in sentence
    assert f"better in {(gains > 0).sum()}, worse in {(gains < 0).sum()} of 2 pairs" in sentence
    assert "two things" not in sentence
    assert search(results_of(MadeSup(ablations=("caa",)))) == []


def test_a_search_beside_averaged_statistics_alone_is_said_to_differ_in_two_things():
    (sentence,) = search(results_of(MadeSup(methods=("dense", "rigl"), ablations=("search",))))
    assert "on average over `cia`" in sentence
    assert "differs in two things" in sentence


def test_it_is_said_whether_a_pool_accepted_the_sup_ticket():
    (sentence,) = siblings(results_of(FEW))
    assert "RigL 10% was accepted by 4 of 8 searches" in sentence
    (refused,) = siblings(results_of(MadeSup(accepted=False)))
    assert "accepted by none of 8 searches" in refused
    assert siblings(results_of(MadeSup(siblings=0))) == []


@pytest.mark.parametrize("endings", [("plain",), ("cia",)])
def test_without_pairs_nothing_is_said_of_gains(endings):
    lines = sentences(results_of(MadeSup(endings=endings, ablations=(), siblings=0)), [])
    assert any("Nothing is said of Sup-tickets" in line for line in lines)
    assert "nan" not in " ".join(lines)
