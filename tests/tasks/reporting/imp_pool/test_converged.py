"""Tickets that did not converge shape no mean, whatever their rows say."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reporting.imp_pool.converged import (
    unconverged,
    unconverged_sentences,
    without_unconverged,
)
from tasks.reporting.imp_pool.summary import Frames, metrics, paired_tests, summary
from tests.tasks.reporting.made import Made

MADE = Made(tickets=4, methods=("interpolation", "swa"), corruptions=("fog",))
EVERY = [(v, s, k) for v in MADE.variants for s in MADE.seeds for k in range(MADE.tickets)]
FRAMES = MADE.frames()
SCORES = {"accuracy", "gain", "error", "error_barrier", "accuracy_pool", "disagreement"}


def fail(lost: list[tuple[str, int, int]], score: float) -> Frames:
    """A run in which these tickets failed, and scored so wherever they have a part."""
    frames = {name: frame.copy() for name, frame in FRAMES.items()}
    for name, frame in frames.items():
        for column in {"ticket", "ticket_a", "ticket_b"} & set(frame):
            keys = zip(frame["variant"], frame["seed"], frame[column], strict=True)
            rows = [key in lost for key in keys]
            frame.loc[rows, list(SCORES & set(frame))] = score
            if name == "tickets":
                frame.loc[rows, "converged"] = False
    return frames


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(EVERY), min_size=1, max_size=len(EVERY) - 1, unique=True),
    st.floats(0, 1),
)
def test_what_a_failed_ticket_scores_changes_nothing(lost, score):
    low, any_score = (without_unconverged(fail(lost, s)) for s in (0.0, score))
    assert summary(low) == summary(any_score)
    assert metrics(low) == metrics(any_score)
    assert paired_tests(low).equals(paired_tests(any_score))


def test_where_all_converged_nothing_is_left_out():
    frames = MADE.frames()
    kept = without_unconverged(frames)
    assert all(kept[name].equals(frame) for name, frame in frames.items())
    assert unconverged_sentences(frames) == []


def test_pairs_and_pools_of_a_failed_ticket_go_with_it():
    lost = ("base", 1, 2)
    frames = fail([lost], 0.0)
    assert unconverged(frames)[["variant", "seed", "ticket"]].to_numpy().tolist() == [list(lost)]
    kept = without_unconverged(frames)
    run = "variant == 'base' and seed == 1"
    pairs = kept["barriers"].query(run + " and split == 'test'")
    assert pairs[["ticket_a", "ticket_b"]].to_numpy().tolist() == [[0, 1]]
    assert set(kept["pools"].query(run)["ticket"]) == {0, 1, 3}
    assert set(kept["pools"].query("variant == 'base' and seed == 0")["ticket"]) == {0, 1, 2, 3}


def test_the_reader_is_told_which_tickets_failed():
    (sentence,) = unconverged_sentences(fail([("base", 1, 2), ("no-rewind", 0, 0)], 0.0))
    assert sentence.startswith("2 of 16 tickets did not converge")
    assert "variant base, seed 1, 64.0% density" in sentence
    assert "variant no-rewind, seed 0, 100.0% density" in sentence


@pytest.mark.parametrize("score", [0.0, 0.1])
def test_where_nothing_converged_the_numbers_stay_and_the_reader_is_told(score):
    frames = fail(EVERY, score)
    assert without_unconverged(frames) is frames
    assert "No ticket converged" in unconverged_sentences(frames)[0]
    assert f"| {100 * score:.2f} ± 0.00 |" in summary(frames)


def test_networks_that_became_nan_leave_no_nan_in_the_metrics():
    frames = fail(EVERY, 0.0)
    frames["barriers"]["error_barrier"] = float("nan")
    assert "NaN" not in json.dumps(metrics(without_unconverged(frames)))
