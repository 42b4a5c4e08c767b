"""The lines between forks, and their barriers (Figures 1, 3–5, 8, 9 and 17)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures.bars import Bar, bar_figure
from tasks.reporting.sgd_noise.figures.facets import draw_threshold, facet_figure, threshold_entry
from tasks.reporting.sgd_noise.measures import start_barriers
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import Style


def paths(results: Results) -> dict[str, Figure]:
    """Test error along the lines between forks, a panel by momentum and batch size. One figure per
    start."""
    rows = results.rows_of("instability_paths", removed=None, split="test")
    rows = rows.dropna(subset="error")
    figures = {}
    for start in results.starts:
        of_start = rows[rows["start"] == start]
        variants = [name for name in results.grid if name in set(of_start["variant"])]
        if not variants:
            continue

        def draw(axis: Axes, variant: str, style: Style, own: pd.DataFrame = of_start) -> None:
            draw_path(axis, own[own["variant"] == variant], style)

        figures[f"sgd-paths-{file_name(start)}"] = facet_figure(
            results,
            variants,
            f"Lines between forks at {results.named(start)}: {results.setting}",
            spread_note(of_start, "bands"),
            ("α, the weight of one of the two forks", "Test error (%)"),
            draw,
        )
    if not figures:
        raise NoData("table `instability_paths` has no rows of forks that trained on all images")
    return figures


def draw_path(axis: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Mean and deviation of the test error by alpha. rows: of `instability_paths`."""
    line = 100 * rows.groupby("alpha")["error"].agg(["mean", "std"])
    alphas = line.index.to_numpy()
    axis.plot(
        alphas, line["mean"], style.marker + "-", color=style.colour, markersize=3.5, linewidth=1.3
    )
    std = line["std"].fillna(0)
    low, high = line["mean"] - std, line["mean"] + std
    axis.fill_between(alphas, low, high, color=style.colour, alpha=0.18, linewidth=0)
    axis.set_xlim(-0.03, 1.03)
    axis.set_xticks([0, 0.5, 1])
    axis.set_xticklabels(["0", "0.5", "1"])


def barriers(results: Results) -> dict[str, Figure]:
    """Error barrier at each start: a row of panels for each, a column by momentum."""
    rows = start_barriers(results.frames)
    rows = rows[rows["removed"].isna()]
    if rows.empty:
        raise NoData("table `instability` has no rows of forks that trained on all images")
    panels = {
        _panel_title(results, start): {
            row.variant: Bar(100 * row.mean, 100 * row.std, row.lost)
            for row in rows[rows["start"] == start].itertuples()
        }
        for start in results.starts
    }
    lost = int(rows["lost"].sum())
    failed = f"; {lost} pairs left out: a fork did not converge" if lost else ""
    if rows["mean"].isna().any():
        failed += " (×: no pair is left)"
    pairs = results.rows_of("instability", removed=None).dropna(subset="error_barrier")
    note = spread_note(pairs, "bars")
    figure = bar_figure(
        results,
        panels,
        f"Error barrier between forks: {results.setting}",
        (note + failed).removeprefix("; "),
        "Error barrier on test images (points)",
        lambda axis: draw_threshold(axis, results.threshold),
        legend=(threshold_entry(results.threshold),),
    )
    return {"sgd-barriers": figure}


def spread_note(rows: pd.DataFrame, drawn_as: str) -> str:
    """What bars or bands are; rows: of pairs of forks, which they are over."""
    seeds = rows["seed"].nunique()
    pairs = rows[["noise_a", "noise_b"]].drop_duplicates()
    if seeds * len(pairs) < 2:
        return ""
    over = f"{len(pairs)} pair{'s' * (len(pairs) > 1)} of forks"
    return f"{drawn_as}: ± 1 standard deviation over {over} and {_count(seeds)}"


def file_name(start: str) -> str:
    """A start as a part of a file's name."""
    return start if not start.isdigit() else f"ticket-{start}"


def _panel_title(results: Results, start: str) -> str:
    named = results.named(start).removeprefix("the ")
    return named[:1].upper() + named[1:]


def _count(seeds: int) -> str:
    return f"{seeds} seeds" if seeds > 1 else "one seed"
