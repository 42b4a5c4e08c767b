"""What changes the barrier: pairs that are equal in all else, and the paper's sign."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reporting.sgd_noise.effects import effects
from tasks.reporting.sgd_noise.headline import what_changes_the_barrier
from tasks.reporting.sgd_noise.numbers.stability import effect_tables
from tasks.reporting.sgd_noise.settings import FACTORS
from tests.tasks.reporting.made_sgd import MadeSgd
from tests.tasks.reporting.sgd_noise.noise_results import changed, made_of, results_of

PLAIN = MadeSgd(
    tickets=3, starts=("rewind",), aimp=(), crossed=False, subsets=False, probed=(), stable=False
)


def _own(made: MadeSgd) -> dict[str, float]:
    """Mean change by factor, computed anew from the rows: variants by name, seed by seed."""
    rows = made_of(made).frames()["instability"]
    rows = rows[(rows["split"] == "test") & (rows["start"] == "rewind")]
    height = rows.groupby(["variant", "seed"])["error_barrier"].mean().to_dict()

    def name(mu: float, bs: int, epochs: int) -> str:
        return f"mu{mu:g}-bs{bs}-{'rewind' + str(epochs) if epochs else 'init'}"

    momenta, batches, rewinds = made.momenta, made.batches, made.rewinds
    ends = {
        "momentum": [
            (name(momenta[0], b, e), name(momenta[-1], b, e)) for b, e in product(batches, rewinds)
        ],
        "batch_size": [
            (name(m, batches[0], e), name(m, batches[-1], e)) for m, e in product(momenta, rewinds)
        ],
        "rewind": [
            (name(m, b, rewinds[0]), name(m, b, rewinds[-1])) for m, b in product(momenta, batches)
        ],
    }
    means = {}
    for factor, pairs in ends.items():
        changes = [height[b, s] - height[a, s] for a, b in pairs if a != b for s in made.seeds]
        if changes:
            means[factor] = sum(changes) / len(changes)
    return means


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from([(0.0,), (0.0, 0.9), (0.0, 0.3, 0.95)]),
    st.sampled_from([(32,), (32, 128), (8, 32, 2048)]),
    st.sampled_from([(0,), (0, 2)]),
    st.fixed_dictionaries({name: st.sampled_from([-0.06, 0.0, 0.05]) for name in FACTORS}),
)
def test_an_effect_is_the_mean_over_pairs_that_are_equal_in_all_else(
    momenta, batches, rewinds, sizes
):
    made = replace(PLAIN, momenta=momenta, batches=batches, rewinds=rewinds, effects=sizes)
    found = {effect.factor: effect for effect in effects(results_of(made))}
    own = _own(made)
    assert set(found) == set(own)
    count = len(momenta) * len(batches) * len(rewinds) * len(made.seeds)
    levels = {"momentum": momenta, "batch_size": batches, "rewind": rewinds}
    for factor, effect in found.items():
        assert effect.mean == pytest.approx(own[factor])
        assert len(effect.changes) == count // len(levels[factor])
        assert effect.up + effect.down <= len(effect.changes)


def _with(sizes: Mapping[str, float]) -> list[str]:
    return what_changes_the_barrier(results_of(replace(PLAIN, effects=sizes)))


def test_the_papers_signs_are_momentum_up_batch_size_down_rewinding_down():
    lines = _with({"momentum": 0.1, "batch_size": -0.05, "rewind": -0.1})
    momentum, batch, rewinding = lines
    assert momentum.startswith("Momentum, 0 → 0.9: ")
    assert batch.startswith("Batch size, 32 → 128: ")
    assert rewinding.startswith("Rewinding, 0 → 2 epochs: ")
    assert "This is the paper's sign (up)." in momentum
    assert all("This is the paper's sign (down)." in line for line in (batch, rewinding))
    for line, change in ((momentum, "+10."), (batch, "−5."), (rewinding, "−10.")):
        value = line.split("changes by ")[1].split(" points")[0]
        assert abs(float(value.replace("−", "-")) - float(change.replace("−", "-"))) < 0.5
    assert "up in 8, down in 0 of 8 pairs equal in all else" in momentum
    assert "up in 0, down in 8 of 8 pairs" in batch


def test_the_other_sign_is_said_plainly():
    lines = _with({"momentum": -0.1, "batch_size": 0.05, "rewind": 0.1})
    assert all("This is the opposite of the paper's sign" in line for line in lines)


def test_an_effect_that_seeds_or_pairs_do_not_agree_on_has_no_sign():
    said = "This is not distinguishable from none at this budget."
    frames = made_of(PLAIN).frames()
    rows = frames["instability"]
    high = rows["variant"].str.startswith("mu0.9")
    rows["error_barrier"] = 0.2 + 0.1 * high - 0.15 * (high & (rows["seed"] == 1))
    momentum, *_ = what_changes_the_barrier(results_of(PLAIN, frames))
    assert "+10.00, −5.00" in momentum  # the seeds
    assert said in momentum
    wide = rows["variant"] == "mu0.9-bs32-init"
    rows["error_barrier"] = 0.2 + 0.1 * high - 0.25 * wide
    results = results_of(PLAIN, frames)
    momentum, *_ = what_changes_the_barrier(results)
    assert "means by seed +3.75, +3.75" in momentum  # two standard errors are 8.2 points
    assert said in momentum
    (table,) = effect_tables(results)
    assert [row[-1] for row in table.rows if row[0] == "Momentum"] == ["undecided"]


def test_one_pair_has_no_sign():
    made = replace(PLAIN, seeds=(0,), batches=(32,), rewinds=(0,))
    momentum, *_ = what_changes_the_barrier(results_of(made))
    assert "of 1 pair" in momentum
    assert "This is not distinguishable from none" in momentum


def test_no_change_is_no_sign():
    frames = made_of(PLAIN).frames()
    frames["instability"]["error_barrier"] = 0.2
    for line in what_changes_the_barrier(results_of(PLAIN, frames)):
        assert "changes by +0.00 points" in line
        assert "up in 0, down in 0 of 8" in line
        assert "This is not distinguishable from none" in line


def test_pairs_that_go_the_other_way_are_counted():
    variant = "mu0.9-bs32-init"
    frames = changed(PLAIN, "instability", {"error_barrier": 0.28}, variant=variant, seed=1)
    (momentum, *_) = what_changes_the_barrier(results_of(PLAIN, frames))
    assert "up in 7, down in 1 of 8 pairs" in momentum
    assert "the paper's sign (up) on average, though 1 of 8 go the other way" in momentum


def test_one_seed_is_named_and_a_lone_variant_measures_nothing():
    lines = what_changes_the_barrier(results_of(replace(PLAIN, seeds=(0,))))
    assert all("; one seed)" in line for line in lines)
    alone = replace(PLAIN, momenta=(0.9,), batches=(32,), rewinds=(0,))
    lines = what_changes_the_barrier(results_of(alone))
    assert len(lines) == 3
    assert all("is not measured, since no two variants" in line for line in lines)


def test_a_pair_that_diverged_is_in_no_effect():
    frames = changed(
        PLAIN, "instability", {"error_barrier": float("nan")}, variant="mu0-bs32-init", seed=0
    )
    found = {effect.factor: effect for effect in effects(results_of(PLAIN, frames))}
    assert [len(effect.changes) for effect in found.values()] == [7, 7, 7]


def test_variants_that_differ_in_more_than_one_setting_are_no_pair():
    made = replace(PLAIN, batches=(32,), rewinds=(0,))
    results = results_of(made)
    for name, setting in list(results.settings.items()):
        if setting.momentum == 0.9:
            results.settings[name] = replace(setting, epochs=setting.epochs + 1)
    assert effects(results) == []
