"""Every figure of SGD noise: what it draws, and what it does without rows."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures import (
    instability,
    rewinding,
    tickets,
)
from tasks.reporting.sgd_noise.figures.catalogue import CHAPTERS
from tests.tasks.reporting.drawn import bars, xs, ys
from tests.tasks.reporting.made_sgd import MadeSgd
from tests.tasks.reporting.sgd_noise.noise_results import SMALL, changed, made_of, results_of

ENTRIES = [entry for chapter in CHAPTERS for entry in chapter.entries]
RESULTS = results_of(SMALL)
FRAMES = made_of(SMALL).frames()
ALONE = MadeSgd(
    momenta=(0.9,),
    batches=(64,),
    rewinds=(0,),
    seeds=(0,),
    tickets=2,
    noise=(1, 2),
    starts=("rewind",),
    aimp=(),
    crossed=False,
    subsets=False,
    probed=(),
    stable=False,
    pooled=False,
)


@cache
def drawn(heading: str) -> dict[str, Figure]:
    """The figures of the catalogue's entry with this heading, from all rows."""
    (entry,) = [entry for entry in ENTRIES if entry.heading == heading]
    return entry.draw(RESULTS)


def _panel(figure: Figure, momentum: float, batch: int):
    (axis,) = [a for a in figure.axes if a.get_title() == f"μ {momentum:g}, batch size {batch}"]
    return axis


def _lines(axis, count: int):
    """The lines of `count` points."""
    return [line for line in axis.lines if len(line.get_xdata()) == count]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_every_figure_is_laid_out_without_a_warning(entry):
    figures = drawn(entry.heading)
    assert figures
    for name, figure in figures.items():
        assert name.startswith("sgd-")
        figure.draw_without_rendering()


def test_no_two_figures_have_one_name():
    names = [name for entry in ENTRIES for name in drawn(entry.heading)]
    assert len(set(names)) == len(names)


DRAWN_ALONE = {
    "Error barrier at each start",
    "Lines between forks",
    "Consecutive tickets",
    "Forgetting events along training",
    "Accuracy by density",
}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_with_one_variant_and_the_rest_off_a_figure_is_drawn_or_says_why_not(entry):
    results = results_of(ALONE)
    if entry.heading not in DRAWN_ALONE:
        with pytest.raises(NoData, match=r"[^.]$"):
            entry.draw(results)
        return
    for figure in entry.draw(results).values():
        assert "seeds" not in figure.get_suptitle()


def test_paths_are_the_mean_over_pairs_and_seeds():
    figure = drawn("Lines between forks")["sgd-paths-rewind"]
    rows = FRAMES["instability_paths"].query("split == 'test' and start == 'rewind'")
    rows = rows[rows["removed"].isna()]
    for variant, colour in (("mu0.9-bs128-init", "#0072B2"), ("mu0.9-bs128-rewind2", "#D55E00")):
        own = rows[rows["variant"] == variant].groupby("alpha")["error"]
        (line,) = [x for x in _panel(figure, 0.9, 128).lines if x.get_color() == colour]
        assert line.get_xdata() == pytest.approx(np.arange(11) / 10)
        assert line.get_ydata() == pytest.approx(100 * own.mean().to_numpy())
    assert "over 3 pairs of forks and 2 seeds" in figure.get_suptitle()
    assert set(drawn("Lines between forks")) == {"sgd-paths-rewind", "sgd-paths-ticket-2"}


def test_barriers_have_a_row_of_panels_for_each_start_and_the_threshold():
    figure = drawn("Error barrier at each start")["sgd-barriers"]
    titles = ["Rewind point, μ 0", "Rewind point, μ 0.9"]
    titles += ["Ticket 2 (64% density), μ 0", "Ticket 2 (64% density), μ 0.9"]
    assert [axis.get_title() for axis in figure.axes] == titles
    rows = FRAMES["instability"].query("split == 'test'")
    rows = rows[rows["removed"].isna()]
    means = rows.groupby(["variant", "start"])["error_barrier"].mean()
    for axis, (start, mu) in zip(
        figure.axes, [(s, m) for s in ("rewind", "2") for m in ("0", "0.9")], strict=True
    ):
        expected = [
            100 * means[f"mu{mu}-bs{bs}-{rewound}", start]
            for bs in (32, 128)
            for rewound in ("init", "rewind2")
        ]
        heights = [bar.get_height() for bar in sorted(bars(axis), key=Rectangle.get_x)]
        assert heights == pytest.approx(expected)
        if start == "2":
            assert [text.get_text() for text in axis.get_xticklabels()] == ["32", "128"]
        assert any(line.get_linestyle() == "--" and ys(line)[0] == 2 for line in axis.lines)


def test_a_start_whose_pairs_all_diverged_is_marked_and_has_no_bar():
    frames = changed(SMALL, "instability", {"error_barrier": np.nan}, variant="mu0-bs32-init")
    figure = instability.barriers(results_of(SMALL, frames))["sgd-barriers"]
    first = figure.axes[0]
    assert len(first.patches) == 3
    assert [line.get_marker() for line in first.lines].count("x") == 1
    title = figure.get_suptitle()
    assert "12 pairs left out: a fork did not converge (×: no pair is left)" in title


def test_forks_that_did_not_converge_are_in_no_bar():
    lost = replace(SMALL, lost=(1,))
    figure = instability.barriers(results_of(lost))["sgd-barriers"]
    whole = drawn("Error barrier at each start")["sgd-barriers"]
    assert "8 pairs left out" in figure.get_suptitle()
    assert "×" not in figure.get_suptitle()
    assert len(figure.axes[0].patches) == len(whole.axes[0].patches)


def test_consecutive_tickets_stand_at_the_density_of_the_sparser_one():
    figure = drawn("Consecutive tickets")["sgd-neighbours"]
    rows = FRAMES["barriers"].query("split == 'test' and variant == 'mu0-bs128-init'")
    (line,) = [x for x in _lines(_panel(figure, 0, 128), 3) if x.get_marker() == "s"]
    assert line.get_xdata() == pytest.approx([80, 64, 51.2])
    means = rows.groupby("ticket_b")["error_barrier"].mean()
    assert line.get_ydata() == pytest.approx(100 * means.to_numpy())


def test_forgetting_is_of_the_forks_at_the_rewind_point_from_their_first_epoch():
    figure = drawn("Forgetting events along training")["sgd-forgetting"]
    rows = FRAMES["fork_curves"].query("start == 'rewind' and variant == 'mu0.9-bs32-rewind2'")
    rows = rows[rows["removed"].isna()]
    (line,) = [x for x in _panel(figure, 0.9, 32).lines if x.get_color() == "#D55E00"]
    assert list(line.get_xdata()) == list(range(3, 11))
    assert line.get_ydata() == pytest.approx(rows.groupby("epoch")["events"].mean().to_numpy())


def test_subsets_are_drawn_beside_all_images():
    (figure,) = drawn("Without the easiest or the hardest samples").values()
    paths, barriers, scores = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["Trained on all images", "Without the easiest 30%", "Without the hardest 30%"]
    rows = FRAMES["instability"].query(
        "variant == 'mu0-bs32-init' and start == 'rewind' and split == 'test'"
    )
    means = rows.groupby(rows["removed"].fillna(""))["error_barrier"].mean()
    heights = [bar.get_height() for bar in bars(barriers)]
    assert heights == pytest.approx([100 * means[k] for k in ("", "easiest-30", "hardest-30")])
    assert heights[2] < 0.6 * heights[0]
    assert not scores.patches  # bars would have to begin at zero
    accuracy = [ys(point)[0] for point in scores.lines if point.get_marker() in ("s", "^", "P")]
    assert accuracy[0] == pytest.approx(accuracy[1] + 2)
    assert len([line for line in paths.lines if len(xs(line)) == 11]) == 3


def test_a_search_that_found_no_stable_epoch_has_no_line_for_one():
    def dotted(epoch: int) -> tuple[int, int]:
        results = results_of(SMALL, changed(SMALL, "stable_rewind", {"epoch": epoch}))
        figure = rewinding.stable_rewind(results)["sgd-stable-rewind"]
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        lines = [line for axis in figure.axes for line in axis.lines]
        return sum(line.get_linestyle() == ":" for line in lines), len(labels)

    searches = len(FRAMES["stable_rewind"])
    assert dotted(2) == (searches, 2)
    assert dotted(SMALL.epochs) == (0, 1)


def test_winning_tickets_are_ringed_and_failed_ones_starred():
    frames = changed(SMALL, "tickets", {"converged": False}, variant="mu0.9-bs32-init", ticket=3)
    frames["tickets"].loc[
        (frames["tickets"]["variant"] == "mu0.9-bs32-init") & (frames["tickets"]["ticket"] == 3),
        "accuracy",
    ] = 0.1
    figure = tickets.accuracy(results_of(SMALL, frames))["sgd-accuracy"]

    def marks(momentum: float, batch: int, marker: str) -> list[tuple[float, float]]:
        return [
            (round(float(line.get_xdata()[0]), 3), round(float(line.get_ydata()[0]), 3))
            for line in _panel(figure, momentum, batch).lines
            if line.get_marker() == marker and line.get_markersize() == 10
        ]

    assert marks(0.9, 32, "*") == [(51.2, 10.0)]
    assert marks(0.9, 32, "o") == marks(0.9, 128, "*") == []
    rows = frames["tickets"].query("split == 'test'")
    means = rows.groupby(["variant", "ticket"])["accuracy"].mean()
    expected = [round(100 * means[f"mu0-bs128-{rewound}", 1], 3) for rewound in ("init", "rewind2")]
    assert marks(0, 128, "o") == [(80.0, value) for value in expected]


def test_shorter_searches_and_crossed_ones_are_apart():
    short = drawn("Shorter mask searches")["sgd-aimp"]
    assert [axis.get_title() for axis in short.axes] == [
        "Trained as mu0-bs32-init (μ 0, batch 32, 10 epochs)"
    ]
    labels = [text.get_text() for text in short.legends[0].get_texts()]
    assert [label.split(" (")[0] for label in labels] == [
        "Masks of mu0-bs32-init",
        "Masks of short3",
    ]
    other = drawn("Mask search against sparse training")["sgd-crossed"]
    assert len(other.axes) == 1
    labels = [text.get_text().split(" (")[0] for text in other.legends[0].get_texts()]
    assert labels == [f"Trained as {name}" for name in SMALL.whole[:4]]


def test_probes_are_by_block_with_the_dense_network_and_the_permuted_mask():
    figures = drawn("Linear probes")
    assert set(figures) == {"sgd-probes-from-initialisation", "sgd-probes-rewound-to-epoch-2"}
    figure = figures["sgd-probes-from-initialisation"]
    rows = FRAMES["probes"].query("split == 'test' and variant == 'mu0-bs32-init'")
    means = rows.groupby(["network", "ticket", "block"])["accuracy"].mean()
    shown = {tuple(np.round(line.get_ydata(), 6)) for line in _lines(_panel(figure, 0, 32), 5)}
    for network, ticket in (("ticket", 0), ("ticket", 3), ("permuted", 3), ("trained", 0)):
        assert tuple(np.round(100 * means[network, ticket].to_numpy(), 6)) in shown
    assert tuple(np.round(100 * means["trained", 3].to_numpy(), 6)) not in shown


def test_transfer_is_of_the_sparsest_ticket_beside_the_dense_networks():
    figure = drawn("Transfer to other data sets")["sgd-transfer"]
    assert "51.2% density" in figure.get_suptitle()
    rows = FRAMES["transfer"].query("split == 'test' and target == 'eurosat'")
    means = 100 * rows.groupby(["variant", "network", "ticket"])["accuracy"].mean()
    (axis,) = [a for a in figure.axes if a.get_title() == "eurosat, μ 0.9"]
    first = min(bars(axis), key=Rectangle.get_x)
    assert first.get_height() == pytest.approx(means["mu0.9-bs32-init", "ticket", 3])
    marks = {line.get_marker(): float(ys(line)[0]) for line in reversed(axis.lines)}
    assert marks["D"] == pytest.approx(means["mu0.9-bs32-init", "trained", 0])
    assert marks["o"] == pytest.approx(means["mu0.9-bs32-init", "ticket", 0])
    assert marks["v"] == pytest.approx(means["mu0.9-bs32-init", "permuted", 3])


def test_few_shot_is_of_random_parts_by_size():
    figure = drawn("Training on few images")["sgd-few-shot-rewound-to-epoch-2"]
    rows = FRAMES["few_shot"].query(
        "split == 'test' and variant == 'mu0-bs128-rewind2' and selection == 'random'"
    )
    means = 100 * rows.groupby(["network", "percent", "ticket"])["accuracy"].mean()
    shown = {tuple(np.round(line.get_ydata(), 6)) for line in _lines(_panel(figure, 0, 128), 2)}
    for network in ("ticket", "permuted"):
        for percent in (1, 10):
            assert tuple(np.round(means[network, percent].to_numpy(), 6)) in shown


def test_the_search_shows_each_seeds_probes_and_what_it_found():
    figure = drawn("The first stable epoch")["sgd-stable-rewind"]
    axis = _panel(figure, 0.9, 32)
    found = sorted(
        {x for line in axis.lines if line.get_linestyle() == ":" for x in line.get_xdata()}
    )
    assert found == [5, 6]
    hollow = [line for line in axis.lines if line.get_markerfacecolor() == "white"]
    assert all(min(line.get_ydata()) > 2 for line in hollow if len(line.get_ydata()))


def test_predictors_have_both_panels_with_their_correlation():
    figure = drawn("What tells the gain of pooling")["sgd-predictors"]
    barrier, disagreement, _ = figure.axes
    rows = FRAMES["predictors"].query("method == 'interpolation'")
    for axis, column in ((barrier, "barrier"), (disagreement, "disagreement")):
        places = np.concatenate([c.get_offsets() for c in axis.collections])
        assert sorted(map(tuple, np.round(places, 6))) == sorted(
            map(tuple, np.round(100 * rows[[column, "gain"]].to_numpy(), 6))
        )
        rho = rows[column].corr(rows["gain"], method="spearman")
        assert f"ρ {rho:+.2f}".replace("-", "−") in axis.get_title()
        assert "; within density " in axis.get_title()
        assert f"{len(rows)} tickets" in axis.get_title()
    assert "percentile bootstrap over 2 seeds, too few to decide" in figure.get_suptitle()


def test_a_product_of_sixty_variants_has_a_panel_for_each_momentum_and_batch_size():
    momenta, batches = (0.0, 0.3, 0.6, 0.9, 0.95), (8, 32, 100, 256, 1024, 2048)
    made = replace(ALONE, momenta=momenta, batches=batches, rewinds=(0, 2))
    made = replace(made, effects={"momentum": 0.02, "batch_size": -0.01, "rewind": -0.1})
    results = results_of(made)
    figure = tickets.accuracy(results)["sgd-accuracy"]
    assert len(figure.axes) == 30
    for axis in figure.axes:
        assert len(_lines(axis, 2)) - len([x for x in axis.lines if x.get_linestyle() == ":"]) == 2
    bars = instability.barriers(results)["sgd-barriers"]
    assert [len(axis.patches) for axis in bars.axes] == [12] * 5


def test_a_panel_of_a_missing_combination_stays_empty():
    frames = made_of(SMALL).frames()
    gone = ["mu0.9-bs128-init", "mu0.9-bs128-rewind2"]
    frames["tickets"] = frames["tickets"][~frames["tickets"]["variant"].isin(gone)]
    figure = tickets.accuracy(results_of(SMALL, frames))["sgd-accuracy"]
    assert [axis.axison for axis in figure.axes] == [True, True, True, False]


def test_variants_that_something_else_sets_apart_have_lines_of_their_own():
    made = replace(ALONE, aimp=(3, 5))
    results = results_of(made)
    first = made.whole[0]
    assert results.lines[first] == "from initialisation"
    assert results.lines["short3"] == "from initialisation, 3 epochs"
    results = results_of(made)
    for name in ("short3", "short5"):
        results.settings[name] = replace(results.settings[name], epochs=10, rest=name)
    assert results.lines["short3"] == "from initialisation, variant short3"
    assert len(set(results.lines.values())) == 3
