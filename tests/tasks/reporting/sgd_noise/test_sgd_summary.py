"""What did not converge, the headline, the summary and the metrics of SGD noise."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reporting.sgd_noise.headline import prediction, sentences, stability, winning
from tasks.reporting.sgd_noise.measures import start_barriers
from tasks.reporting.sgd_noise.rows import unconverged_sentences, without_unconverged
from tasks.reporting.summary import metrics, summary
from tests.tasks.reporting.made_sgd import MadeSgd
from tests.tasks.reporting.sgd_noise.noise_results import SMALL, changed, made_of, results_of

FRAMES = made_of(SMALL).frames()
SEEDS = replace(SMALL, seeds=tuple(range(6)))  # enough to decide


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(SMALL.whole), st.sampled_from(SMALL.noise), st.floats(0, 1))
def test_what_a_fork_that_failed_measures_changes_nothing(variant, noise, height):
    def failed(value: float):
        frames = changed(SMALL, "forks", {"converged": False}, variant=variant, noise=noise, seed=0)
        for column in ("noise_a", "noise_b"):
            rows = frames["instability"]
            mine = (rows["variant"] == variant) & (rows[column] == noise) & (rows["seed"] == 0)
            rows.loc[mine, ["error_barrier", "stable"]] = [value, True]
        return frames

    low, other = failed(0.0), failed(height)
    assert summary(low) == summary(other)
    assert metrics(low) == metrics(other)
    (sentence,) = unconverged_sentences(low)
    count = len(FRAMES["forks"].query("variant == @variant and noise == @noise and seed == 0")) // 2
    total = len(FRAMES["forks"]) // 2
    assert sentence.startswith(f"{count} of {total} forks did not converge ({variant}: {count})")
    kept = without_unconverged(low)["instability"]
    assert len(kept) == len(FRAMES["instability"])
    mine = (kept["variant"] == variant) & (kept["seed"] == 0)
    mine &= (kept["noise_a"] == noise) | (kept["noise_b"] == noise)
    assert kept["error_barrier"].isna().equals(mine)
    assert not kept["stable"][mine].any()


def test_where_no_fork_converged_the_rows_stay_and_the_reader_is_told():
    frames = changed(SMALL, "forks", {"converged": False})
    kept = without_unconverged(frames)
    assert len(kept["forks"]) == len(frames["forks"])
    assert len(kept["instability"]) == len(frames["instability"])
    assert kept["instability"]["error_barrier"].isna().all()
    assert unconverged_sentences(frames) == [
        "No fork converged, so no pair of forks has a barrier, and no start is stable."
    ]


def _at_rest(noise: list[int]):
    """A variant whose forks all lie together, but for these, which did not converge."""
    frames = changed(
        SMALL, "instability", {"error_barrier": 0.0, "stable": True}, variant="mu0-bs32-init"
    )
    rows = frames["forks"]
    failed = (rows["variant"] == "mu0-bs32-init") & rows["noise"].isin(noise)
    rows.loc[failed, "converged"] = False
    return frames


def test_a_start_with_a_fork_that_did_not_converge_is_not_stable():
    whole, failed = _at_rest([]), _at_rest([1])
    assert "1 of 8 variants is stable" in stability(results_of(SMALL, whole))[0]
    (sentence,) = stability(results_of(SMALL, failed))
    assert "0 of 8 variants are stable" in sentence
    lost = start_barriers(without_unconverged(failed), "val").query("variant == 'mu0-bs32-init'")
    assert set(lost["pairs"]) == {6}
    assert set(lost["lost"]) == {4}
    for frames, share in ((whole, 1.0), (failed, 1 / 3)):
        shares = metrics(frames)["mu0-bs32-init"]["sgd_noise"]["stable_share"]
        assert shares["rewind"] == pytest.approx(share, abs=1e-6)


def test_a_variant_whose_forks_all_failed_still_counts():
    frames = _at_rest([1, 2, 3])
    (sentence,) = stability(results_of(SMALL, frames))
    assert "0 of 8 variants are stable" in sentence
    assert metrics(frames)["mu0-bs32-init"]["sgd_noise"]["stable_share"]["rewind"] == 0
    assert "| mu0-bs32-init | rewind | 100.0% | – (not converged) | 0% |" in summary(frames)


def test_a_ticket_that_did_not_converge_is_no_neighbour_and_keeps_its_accuracy():
    frames = changed(SMALL, "tickets", {"converged": False}, variant="mu0-bs32-init", ticket=2)
    kept = without_unconverged(frames)
    mine = kept["barriers"].query("variant == 'mu0-bs32-init'")
    assert set(mine["ticket_b"]) == {1}
    assert len(kept["tickets"]) == len(frames["tickets"])
    assert 2 not in set(kept["predictors"].query("variant == 'mu0-bs32-init'")["ticket"])


def test_stability_is_decided_on_held_out_images():
    frames = changed(SMALL, "instability", {"error_barrier": 0.01}, variant="mu0-bs32-init")
    rows = frames["instability"]
    test = (rows["variant"] == "mu0-bs32-init") & (rows["split"] == "test")
    rows.loc[test, "error_barrier"] = 0.9
    (sentence,) = stability(results_of(SMALL, frames))
    assert "1 of 8 variants is stable" in sentence
    assert "below 2 points (mu0-bs32-init)" in sentence
    assert "from 1.00 (mu0-bs32-init)" in sentence


def test_a_pair_that_diverged_keeps_its_start_from_being_stable():
    frames = changed(SMALL, "instability", {"error_barrier": 0.0}, variant="mu0-bs32-init")
    rows = frames["instability"]
    pair = (rows["variant"] == "mu0-bs32-init") & (rows["noise_b"] == 2) & (rows["seed"] == 0)
    pair &= (rows["start"] == "rewind") & rows["removed"].isna()
    rows.loc[pair, "error_barrier"] = float("nan")
    (sentence,) = stability(results_of(SMALL, frames))
    assert "0 of 8 variants are stable" in sentence
    assert "1 pair of forks has no barrier, since a fork did not converge" in sentence


def test_winning_tickets_are_counted_with_and_without_pretraining():
    without, with_it = winning(results_of(SMALL))
    rows = FRAMES["tickets"].query("split == 'test'")
    means = rows.groupby(["variant", "ticket"])["accuracy"].mean().unstack()
    lead = means.sub(means[0], axis=0).drop(columns=0)
    for sentence, names in (
        (without, [n for n in means.index if n.endswith("init")]),  # no shorter search
        (with_it, [n for n in means.index if n.endswith("rewind2")]),
    ):
        won = int((lead.loc[names] >= 0).sum().sum())
        assert won > 0
        assert f"{won} of {3 * len(names)} sparse tickets in {len(names)} variants" in sentence
        assert f"{100 * lead.loc[names].max().max():+.2f} points" in sentence
    assert without.startswith("Without pretraining there are winning tickets")


def test_a_search_that_only_lends_its_masks_is_no_variant_of_the_headline():
    first = sentences(results_of(SMALL), [])[0]
    assert f": {len(SMALL.whole)} variants (" in first


def test_where_none_wins_it_is_said_how_near_the_best_came():
    made = replace(SMALL, momenta=(0.9,), aimp=())
    without, _ = winning(results_of(made))
    assert "there is no winning ticket (of 6 sparse tickets in 2 variants)" in without
    assert "The best is −" in without


def test_a_dense_network_that_failed_makes_no_winner():
    frames = changed(SMALL, "tickets", {"converged": False, "accuracy": 0.1}, ticket=0)
    assert all("there is no winning ticket" in line for line in winning(results_of(SMALL, frames)))


def test_a_good_predictor_and_a_poor_one_are_told_apart():
    barrier, disagreement, instability = prediction(results_of(SEEDS))
    assert "Spearman's ρ −0.9" in barrier
    assert "the higher it is, the lower the gain tends to be" in barrier
    assert f"{3 * len(FRAMES['predictors']) // 2} pooled tickets, 6 seeds" in barrier
    assert instability.startswith("A ticket's instability at its rewind point")
    assert "disagreement" in disagreement


@pytest.mark.parametrize("seeds", [2, 5])
def test_few_seeds_do_not_decide(seeds):
    made = replace(SEEDS, seeds=tuple(range(seeds)))
    for sentence in prediction(results_of(made)):
        assert f"percentile bootstrap over {seeds} seeds" in sentence
        assert "So few seeds do not decide" in sentence
        assert "tends" not in sentence
        assert "95%" not in sentence
    text = summary(made_of(made).frames())
    assert f"percentile bootstrap over {seeds} seeds, too few to decide" in text


def test_a_correlation_that_is_the_densities_level_alone_is_none_within_them():
    frames = made_of(SMALL).frames()
    rows = frames["predictors"]
    names = sorted(set(rows["variant"]))
    place = rows["variant"].map(names.index) + 8 * rows["seed"]
    rows["barrier"] = 100 * rows["ticket"] + place
    rows["gain"] = 100 * rows["ticket"] - place
    sentence, *_ = prediction(results_of(SMALL, frames))
    assert "ρ +0.8" in sentence
    assert "over all variants and densities (mean within one density −1.00)" in sentence
    assert "| −1.00 |" in summary(frames)


def test_a_predictor_whose_interval_holds_zero_is_said_to_tell_nothing():
    frames = made_of(SEEDS).frames()
    rows = frames["predictors"]
    sign = 1 - 2 * (rows["seed"] % 2)
    rows["disagreement"] = 0.5 + sign * rows["gain"]
    _, sentence, _ = prediction(results_of(SEEDS, frames))
    assert "The interval holds zero: it does not tell the gain here." in sentence
    assert "tends to be" not in sentence


def test_a_weak_predictor_is_called_weak():
    frames = made_of(SEEDS).frames()
    rows = frames["predictors"]
    ranks = rows.groupby(["method", "seed"])["gain"].rank(method="first").astype(int)
    # One ticket in five has its rank, the rest theirs by turns: the same in all seeds.
    rows["disagreement"] = [r if r % 5 == 0 else 13 * r % 32 for r in ranks]
    own = rows[rows["method"] == "interpolation"]
    rho = own["disagreement"].corr(own["gain"], method="spearman")
    _, sentence, _ = prediction(results_of(SEEDS, frames))
    assert 0 < abs(rho) < 0.3
    assert f"ρ {rho:+.2f}".replace("-", "−") in sentence
    assert "tends, weakly, to be" in sentence


def test_with_one_seed_nothing_is_said_of_chance():
    for sentence in prediction(results_of(replace(SMALL, seeds=(0,)))):
        assert "With one seed there is no interval" in sentence
    assert prediction(results_of(replace(SMALL, pooled=False))) == []


def test_a_constant_predictor_has_no_correlation():
    frames = made_of(SMALL).frames()
    frames["predictors"]["barrier"] = 0.0
    sentence, *_ = prediction(results_of(SMALL, frames))
    assert "no rank correlation" in sentence
    assert "nan" not in sentence


def test_the_first_sentence_is_the_setting():
    first = sentences(results_of(SMALL), [])[0]
    assert first == (
        "resnet8 on digits: 8 variants (momentum 0, 0.9; batch size 32, 128; from initialisation, "
        "rewound to epoch 2), 2 seeds, 3 forks of each start."
    )


def test_the_summary_has_the_barriers_and_what_predicts_the_gain():
    lines = summary(FRAMES).splitlines()
    (start,) = [k for k, line in enumerate(lines) if line.startswith("**digits: error barrier")]
    table = lines[start + 4 : start + 4 + 16]
    assert all(line.startswith("| mu") for line in table)
    rows = FRAMES["instability"].query(
        "variant == 'mu0-bs32-init' and start == '2' and split == 'test'"
    )["error_barrier"]
    assert f"| {100 * rows.mean():.2f} ± {100 * rows.std():.2f} |" in table[1]
    assert table[1].startswith("| mu0-bs32-init | ticket 2 | 64.0% |")
    assert "| interpolation | barrier | −0.9" in summary(FRAMES)


def test_metrics_are_below_the_variant_and_the_correlations_below_predictors():
    numbers = metrics(FRAMES)
    own = numbers["mu0.9-bs32-init"]["sgd_noise"]
    rows = FRAMES["instability"].query("variant == 'mu0.9-bs32-init' and split == 'test'")
    means = rows.groupby("start")["error_barrier"].mean()
    assert own["barrier"] == {s: pytest.approx(means[s], abs=1e-6) for s in ("rewind", "2")}
    assert own["stable_share"] == {"rewind": 0.0, "2": 0.0}
    assert own["stable_epoch"] == 5.5
    pooled = FRAMES["predictors"].query("method == 'average'")
    rho = pooled["barrier"].corr(pooled["gain"], method="spearman")
    assert numbers["predictors"]["average"]["barrier"] == pytest.approx(rho, abs=1e-6)


def test_what_is_not_finite_is_in_no_metric():
    frames = changed(SMALL, "instability", {"error_barrier": float("nan")})
    text = json.dumps(metrics(frames), allow_nan=False)
    assert "sgd_noise" in text
    assert "– (not converged)" in summary(frames)


def test_a_run_without_forks_has_neither():
    made = MadeSgd(momenta=(0.9,), batches=(32,), rewinds=(0,), aimp=(), pooled=False)
    frames = made_of(made).frames()
    frames = {n: f if n in ("tickets", "barriers") else f.iloc[:0] for n, f in frames.items()}
    assert "sgd_noise" not in json.dumps(metrics(frames))
    assert "predictors" not in metrics(frames)
    assert "forks" not in summary(frames)
