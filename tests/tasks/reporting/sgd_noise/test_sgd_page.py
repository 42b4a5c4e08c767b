"""The part on SGD noise: there where the flow ran, with numbers that follow from the rows."""

from dataclasses import replace

import pytest
from ruamel.yaml import YAML

from tasks.kit.params import Params
from tasks.reporting.sgd_noise.numbers import stability, tickets
from tasks.reporting.sgd_noise.part import part
from tasks.reporting.sgd_noise.results import Results
from tests.tasks.reporting.made import Made
from tests.tasks.reporting.pages import draw, report, stub_files
from tests.tasks.reporting.sgd_noise.noise_results import SMALL, changed, made_of, results_of
from tests.tasks.reporting.test_markup import Tree

FRAMES = made_of(SMALL).frames()


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    return stub_files(monkeypatch)


def test_the_part_stands_beside_the_other_flows(tmp_path, monkeypatch):
    made = Made(tickets=2, seeds=(0,), methods=("interpolation",), corruptions=("fog",), sgd=SMALL)
    page, files = report(made, tmp_path, monkeypatch)
    assert {"imp-pool-headline", "sgd-noise", "sgd-noise-headline"} <= page.ids
    assert any(name.startswith("sgd-") for name in page.figures)
    text = page.text
    assert "nan" not in text.lower().replace("finance", "")
    own = text[text.index("Trainings fork from one start") :]
    assert "Left out" not in own
    tree = Tree(files["report.html"].decode())
    ids = [attrs["id"] for _, attrs, _ in tree.found if "id" in attrs]
    assert len(set(ids)) == len(ids)


def test_without_the_flows_rows_there_is_no_part(tmp_path, monkeypatch):
    made = Made(tickets=2, seeds=(0,), methods=("interpolation",), corruptions=("fog",))
    page, _ = report(made, tmp_path, monkeypatch)
    assert "sgd-noise" not in page.ids


def test_pooling_alone_makes_no_part_of_its_predictors(tmp_path, monkeypatch):
    frames = {name: frame.iloc[:0] for name, frame in FRAMES.items()}
    frames["predictors"] = FRAMES["predictors"]
    made_of(SMALL).write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert part(frames, Params(), tmp_path) is None


@pytest.mark.parametrize("table", ["stable_rewind", "forks", "probes", "crossed"])
def test_any_table_of_the_flow_is_enough(table, tmp_path, monkeypatch):
    frames = {name: frame.iloc[:0] for name, frame in FRAMES.items()} | {table: FRAMES[table]}
    made_of(SMALL).write(tmp_path)
    monkeypatch.chdir(tmp_path)
    own = part(frames, Params(), tmp_path)
    assert own is not None
    assert own.headline
    assert "nan" not in " ".join(own.headline).lower()


def test_where_everything_diverged_the_page_still_stands(tmp_path, monkeypatch):
    made = replace(SMALL, lost=(1, 2, 3), momenta=(0.9,), batches=(32,), rewinds=(0,), aimp=())
    made_of(made).write(tmp_path)
    page, _ = draw(tmp_path, monkeypatch)
    assert "No fork converged" in page.text
    assert "nan" not in page.text.lower()


def test_barriers_are_by_variant_and_start_with_both_splits():
    whole, parts = stability.barrier_tables(results_of(SMALL))
    assert len(whole.rows) == len(SMALL.whole) * len(SMALL.starts)
    rows = FRAMES["instability"].query("variant == 'mu0.9-bs32-init' and start == '2'")
    means = 100 * rows.groupby("split")["error_barrier"].agg(["mean", "std"])
    (line,) = [r for r in whole.rows if r[0] == "mu0.9-bs32-init" and r[4].startswith("ticket 2")]
    assert line[1:5] == ["0.9", "32", "0", "ticket 2 (64% density)"]
    for cell, split in ((line[5], "test"), (line[6], "val")):
        mean, std = means.loc[split]
        assert cell == f"{mean:.2f} ± {std:.2f}"
    assert line[7:] == ["0", "6"]
    assert [row[4] for row in parts.rows] == ["Without the easiest 30%", "Without the hardest 30%"]


def test_effects_have_a_line_for_each_setting_and_start():
    (table,) = stability.effect_tables(results_of(SMALL))
    assert len(table.rows) == 3 * len(SMALL.starts)
    assert [row[0] for row in table.rows[:3]] == ["Momentum", "Batch size", "Rewinding"]
    assert [row[5:] for row in table.rows[:3]] == [
        ["0 of 8", "up", "yes"],
        ["8 of 8", "down", "yes"],
        ["8 of 8", "down", "yes"],
    ]


def test_forgetting_has_the_spread_over_samples():
    (table,) = stability.forgetting_tables(results_of(SMALL))
    cells = dict(zip(table.head, table.rows[-1], strict=True))
    assert cells["Variant"] == "mu0.9-bs128-rewind2"
    assert cells["Forgetting events"] == "6.60 ± 5.00"
    assert cells["Unforgettable (%)"] == "22.00 ± 0.00"


def test_the_first_stable_epoch_counts_what_is_stable_at_none():
    frames = changed(SMALL, "stable_rewind", {"epoch": 10}, variant="mu0-bs32-init", seed=1)
    (table,) = stability.rewind_tables(results_of(SMALL, frames))
    assert table.rows[0][3:] == ["6.0 ± 5.7", "10", "1 of 2", "1 of 2"]


def test_accuracies_say_what_wins_and_what_failed():
    frames = changed(SMALL, "tickets", {"converged": False}, variant="mu0-bs32-init", seed=0)
    (table,) = tickets.accuracy_tables(results_of(SMALL, frames))
    by_variant = {row[0]: row[4:] for row in table.rows}
    assert table.head[4:] == ["100%", "80%", "64%", "51.2%"]
    assert all(cell.endswith(" *") for cell in by_variant["mu0-bs32-init"])
    assert by_variant["mu0-bs128-init"][1].endswith(" ↑")
    assert not by_variant["mu0-bs128-init"][0].endswith("↑")
    assert not any("↑" in cell for cell in by_variant["mu0.9-bs32-init"])


def test_crossed_masks_stand_beside_the_trainings_own():
    short, other = tickets.crossed_tables(results_of(SMALL))
    assert [row[:3] for row in short.rows] == [["short3", "3", "mu0-bs32-init"]]
    assert [row[2] for row in other.rows] == SMALL.whole[1:4]
    rows = FRAMES["crossed"].query("split == 'test' and variant == 'short3' and ticket == 1")
    own = FRAMES["tickets"].query("split == 'test' and variant == 'mu0-bs32-init' and ticket == 1")
    cell = short.rows[0][3]
    assert cell.startswith(f"{100 * rows['accuracy'].mean():.2f} ± ")
    assert f"({100 * own['accuracy'].mean():.2f} ± " in cell


@pytest.mark.parametrize("grid", [["short3"], SMALL.whole[:1]])
def test_a_training_may_be_of_a_variant_outside_the_grid(grid, tmp_path, monkeypatch):
    made = made_of(SMALL)
    made.write(tmp_path)
    params = made.params() | {"grid": grid}
    YAML(typ="safe").dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    frames = {name: frame[frame["variant"].isin(grid)] for name, frame in FRAMES.items()}
    own = part(frames, Params(), tmp_path)
    assert own is not None
    (table,) = tickets.crossed_tables(Results(frames, Params()))
    assert [(row[0], row[2]) for row in table.rows] == [p for p in SMALL.pairs if p[0] in grid]


def test_frozen_networks_have_a_line_each():
    (probes,) = tickets.probe_tables(results_of(SMALL))
    assert [row[4] for row in probes.rows[:3]] == ["ticket", "permuted", "trained"]
    assert probes.head[5:] == [
        "100%, block 2",
        "100%, block 4",
        "51.2%, block 2",
        "51.2%, block 4",
    ]
    assert probes.rows[1][5:7] == ["–", "–"]  # a full mask, permuted, is the same
    (transfer,) = tickets.transfer_tables(results_of(SMALL))
    assert transfer.head[5] == "mnist, 100%"
    random, forgotten = tickets.few_shot_tables(results_of(SMALL))
    assert "drawn at random" in random.title
    assert "least-forgotten first" in forgotten.title


def test_every_method_has_its_correlations():
    (table,) = tickets.predictor_tables(results_of(SMALL))
    rows = FRAMES["predictors"]
    assert len(table.rows) == 2 * 3
    assert "percentile bootstrap over 2 seeds, too few to decide" in table.note
    for method, predictor, rho, within, *_ in table.rows:
        own = rows[rows["method"] == method]
        column = {"error": "barrier", "disag": "disagreement", "insta": "instability"}
        value = own[column[predictor[:5]]].corr(own["gain"], method="spearman")
        assert float(rho.replace("−", "-")) == pytest.approx(value, abs=0.0051)
        means = [
            of[column[predictor[:5]]].corr(of["gain"], method="spearman")
            for _, of in own.groupby("ticket")
        ]
        found = float(within.replace("−", "-"))
        assert found == pytest.approx(sum(means) / len(means), abs=0.0051)
