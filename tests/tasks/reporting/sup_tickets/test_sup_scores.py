"""Plain against Sup-tickets: what is paired with what, and what is part of no mean."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reporting.imp_pool.rows import own as pooled
from tasks.reporting.summary import metrics, plots, summary
from tasks.reporting.sup_tickets.rows import own, unconverged_sentences, without_unconverged
from tasks.reporting.sup_tickets.scores import paired, scores
from tests.tasks.reporting.made import Made
from tests.tasks.reporting.made_sup import MadeSup
from tests.tasks.reporting.sup_tickets.results_of import FEW, fail, made_of, where

FRAMES = made_of(FEW).frames()
BOTH = Made(tickets=2, seeds=(0,), methods=("swa",), corruptions=("fog",), sup=FEW)


def _accuracy(method: str, ending: str, seed: int) -> float:
    table = FRAMES["sup_tickets"]
    run = where(table, method=method, ending=ending, seed=seed, split="test")
    (value,) = table.loc[run, "accuracy"]
    return float(value)


def test_a_gain_is_over_the_plain_ending_of_the_same_method_and_seed():
    pairs = paired(scores(FRAMES)).query("images == 'test'")
    assert set(pairs["ending"]) == {*FEW.endings, *FEW.ablations} - {"plain"}
    assert len(pairs) == 2 * (len(FEW.methods) + len(FEW.ablations))
    for row in pairs.itertuples():
        plain = _accuracy(row.method, "plain", row.seed)
        assert row.gain == pytest.approx(_accuracy(row.method, row.ending, row.seed) - plain)


def test_a_number_for_corrupted_images_is_the_mean_over_corruptions_and_severities():
    rows = scores(FRAMES).query("images == 'corrupted'")
    assert set(rows["ending"]) == {"plain", "cia"}
    for row in rows.itertuples():
        ood = FRAMES["ood"].query("method == @row.method and ending == @row.ending")
        ood = ood[ood["seed"] == row.seed]
        assert len(ood) == 2 * 5
        assert row.accuracy == pytest.approx(ood["accuracy"].mean())


def test_the_rows_of_the_two_flows_are_kept_apart():
    frames = BOTH.frames()
    for name in ("ood", "curves"):
        sparse, dense = own(frames)[name], pooled(frames)[name]
        assert len(sparse) + len(dense) == len(frames[name])
        assert sparse["ticket"].isna().all()
        assert dense["ticket"].notna().all()
        assert len(sparse) > 0
        assert len(dense) > 0


RUNS: list[dict[str, Any]] = [
    {"method": m, "ending": e, "seed": s}
    for m in FEW.methods
    for e in ("plain", "cia")
    for s in (0, 1)
]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(RUNS), st.floats(0, 1))
def test_what_a_run_that_failed_scores_changes_nothing(lost, score):
    low, other = (fail(FRAMES, s, **lost) for s in (0.0, score))
    assert summary(low) == summary(other)
    assert metrics(low) == metrics(other)
    (sentence,) = unconverged_sentences(own(low))
    assert "1 of" in sentence
    named = f"{lost['method']}, ending {lost['ending']}, seed {lost['seed']}"
    assert named in sentence
    assert named in summary(low)


def test_a_seed_that_failed_is_in_no_pair_with_another():
    frames = without_unconverged(own(fail(FRAMES, 0.0, method="dense", ending="plain", seed=1)))
    assert frames["diversity"].query("kind == 'seeds'").empty
    kept = frames["diversity"].query("kind == 'cheap' and seed == 1 and method == 'dense'")
    assert len(kept) > 0


def test_where_nothing_converged_the_numbers_stay_and_the_reader_is_told():
    frames = fail(FRAMES, 0.1)
    assert "No sparse training converged" in summary(frames)
    assert "| 10.00 ± 0.00 |" in summary(frames)
    assert "NaN" not in json.dumps(metrics(frames))


def test_the_summary_pairs_by_seed_and_counts_flops():
    lines = summary(FRAMES).splitlines()
    assert lines[0].startswith("**digits, resnet8, variant base: test accuracy of sparse training")
    assert lines[2] == "| method | density | plain | Sup-tickets (cia) | gain | training FLOPs |"
    rows = [line.split(" | ") for line in lines if line.startswith("| ")][1:]
    assert [row[0].strip("| ") for row in rows] == list(FEW.methods)
    gains = [_accuracy("rigl", "cia", s) - _accuracy("rigl", "plain", s) for s in (0, 1)]
    mean, apart = sum(gains) / 2, abs(gains[0] - gains[1])
    assert rows[1][4] == f"{100 * mean:+.2f} ± {100 * apart / 2**0.5:.2f}"
    assert rows[0][5] == "100.0% |"
    assert any(line.startswith("Gain of the other endings") for line in lines)


def test_metrics_are_below_the_variant_and_leave_the_other_flows_alone():
    both, alone = metrics(BOTH.frames()), metrics(replace(BOTH, sup=None).frames())
    sparse = both["base"].pop("sup_tickets")
    assert both == alone
    gains = [_accuracy("granet", "cia", s) - _accuracy("granet", "plain", s) for s in (0, 1)]
    assert sparse["granet"]["gain_cia"] == pytest.approx(sum(gains) / 2, abs=1e-6)
    assert set(sparse["granet"]) == {"accuracy_plain", "accuracy_cia", "gain_cia", "train_fraction"}
    assert summary(BOTH.frames()).startswith(summary(replace(BOTH, sup=None).frames()))
    assert {name: len(rows) for name, rows in plots(FRAMES).items()} == {"accuracy": 0, "curves": 0}


def test_one_seed_has_no_deviation_and_no_pair_no_gain():
    one = summary(made_of(MadeSup(seeds=(0,), ablations=())).frames())
    assert "±" not in one
    assert "nan" not in one
    assert "(mean over 1 seed)" in one
    plain = summary(made_of(MadeSup(endings=("plain",), ablations=(), siblings=0)).frames())
    assert "| – | – |" in plain
    assert "nan" not in plain
