"""What the features of frozen networks are worth (Figures 18–20, Tables 6, 19 and 20), and tickets
trained on few images (Figures 21–23)."""

import re

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.figures.bars import Bar, bar_figure
from tasks.reporting.sgd_noise.figures.facets import facet_figure
from tasks.reporting.sgd_noise.figures.tickets import DENSITY, thin_ticks
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.style import (
    Style,
    density_axis,
    error_bar_note,
    legend_entry,
    percent,
)


def probes(results: Results) -> dict[str, Figure]:
    """Accuracy of linear probes after each block of the untrained tickets. One figure for each way
    of rewinding."""
    rows = results.rows_of("probes", split="test")
    figures = {
        f"sgd-probes-{_slug(label)}": _probes(results, label, rows[rows["variant"].isin(variants)])
        for label, variants in _by_line(results, rows).items()
    }
    if not figures:
        raise NoData("`sgd_noise.probes.tickets` is empty")
    return figures


def _probes(results: Results, label: str, rows: pd.DataFrame) -> Figure:
    tickets = sorted(set(rows["ticket"]) - {0})
    colours = dict(zip(tickets, _colours(len(tickets)), strict=True))

    def draw(axis: Axes, variant: str, _: Style) -> None:
        own = rows[rows["variant"] == variant]
        for network, form in (("permuted", "--"), ("ticket", "-")):
            for ticket, colour in colours.items():
                _by_block(axis, own, network, ticket, form, colour)
        _by_block(axis, own, "ticket", 0, "-", "0.0")
        _by_block(axis, own, "trained", 0, ":", "0.0")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    entries = [
        legend_entry(f"Ticket of {_density(rows, ticket)}% density", colour, line="-")
        for ticket, colour in colours.items()
    ]
    networks = set(zip(rows["network"], rows["ticket"] == 0, strict=True))
    if ("permuted", False) in networks:
        entries.append(legend_entry("The same, permuted layer by layer", line="--"))
    if ("ticket", True) in networks:
        entries.append(legend_entry("Dense, untrained", "0.0", line="-"))
    if ("trained", True) in networks:
        entries.append(legend_entry("Dense, trained", "0.0", line=":"))
    return facet_figure(
        results,
        [name for name in results.grid if name in set(rows["variant"])],
        f"Linear probes of untrained tickets, {label}: {results.setting}",
        error_bar_note(int(rows["seed"].nunique())),
        ("Block (0 is the stem)", "Test accuracy of the probe (%)"),
        draw,
        legend=entries,
        lines=False,
    )


def transfer(results: Results) -> dict[str, Figure]:
    """Accuracy of linear classifiers on frozen features, target by target."""
    rows = results.rows_of("transfer", split="test")
    if rows.empty:
        raise NoData("`sgd_noise.transfer` names no tickets or no targets")
    sparsest = int(rows["ticket"].max())
    panels = {}
    for target in dict.fromkeys(rows["target"]):
        of_target = rows[rows["target"] == target]
        panels[target] = {
            variant: _transferred(own, sparsest)
            for variant, own in of_target.groupby("variant", sort=False)
        }
    networks = set(zip(rows["network"], rows["ticket"] == 0, strict=True))
    figure = bar_figure(
        results,
        panels,
        f"Frozen, untrained tickets of {_density(rows, sparsest)}% density on other data sets: "
        f"{results.setting}",
        error_bar_note(int(rows["seed"].nunique())),
        "Test accuracy on the target (%)",
        legend=[
            legend_entry(label, "0.1", marker, hollow=True)
            for label, marker, drawn in (
                ("Dense, trained, frozen", "D", ("trained", True)),
                ("Dense, untrained, frozen", "o", ("ticket", True)),
                ("The ticket, permuted", "v", ("permuted", False)),
            )
            if drawn in networks
        ],
    )
    return {"sgd-transfer": figure}


def few_shot(results: Results) -> dict[str, Figure]:
    """Accuracy of tickets trained on parts of the images. One figure for each way of rewinding."""
    rows = results.rows_of("few_shot", split="test", selection="random")
    figures = {
        f"sgd-few-shot-{_slug(label)}": _few_shot(
            results, label, rows[rows["variant"].isin(variants)]
        )
        for label, variants in _by_line(results, rows).items()
    }
    if not figures:
        raise NoData("`sgd_noise.few_shot.tickets` is empty")
    return figures


def _few_shot(results: Results, label: str, rows: pd.DataFrame) -> Figure:
    sizes = sorted(set(rows["percent"]))
    colours = dict(zip(sizes, _colours(len(sizes)), strict=True))

    def draw(axis: Axes, variant: str, _: Style) -> None:
        own = rows[rows["variant"] == variant]
        for network, form in (("permuted", "v--"), ("ticket", "o-")):
            for size, colour in colours.items():
                line = own[(own["network"] == network) & (own["percent"] == size)]
                means = line.groupby("ticket").agg(
                    density=("density", "mean"), mean=("accuracy", "mean"), std=("accuracy", "std")
                )
                _errors(axis, 100 * means["density"], means, form, colour)

    def finish(axis: Axes) -> None:
        density_axis(axis, list(rows.groupby("ticket")["density"].mean()), "")
        thin_ticks(axis)

    entries = [
        legend_entry(f"{size}% of the images", colour, "o", "-") for size, colour in colours.items()
    ]
    if "permuted" in set(rows["network"]):
        entries.append(legend_entry("The same, permuted", marker="v", line="--"))
    return facet_figure(
        results,
        [name for name in results.grid if name in set(rows["variant"])],
        f"Tickets trained on few images, {label}: {results.setting}",
        error_bar_note(int(rows["seed"].nunique())),
        (DENSITY, "Test accuracy (%)"),
        draw,
        finish=finish,
        legend=entries,
        lines=False,
    )


def _by_line(results: Results, rows: pd.DataFrame) -> dict[str, list[str]]:
    """Variants with rows, by what their line stands for in other figures."""
    present = set(rows["variant"])
    groups: dict[str, list[str]] = {}
    for name in results.grid:
        if name in present:
            groups.setdefault(results.lines[name], []).append(name)
    return groups


def _by_block(
    axis: Axes, rows: pd.DataFrame, network: str, ticket: int, form: str, colour: str
) -> None:
    line = rows[(rows["network"] == network) & (rows["ticket"] == ticket)]
    means = line.groupby("block")["accuracy"].agg(["mean", "std"])
    _errors(axis, means.index.to_series(), means, "o" * (form == "-") + form, colour)


def _errors(
    axis: Axes, at: "pd.Series[float]", means: pd.DataFrame, form: str, colour: str
) -> None:
    if means.empty:
        return
    std = means["std"]
    axis.errorbar(
        at.to_numpy(),
        100 * means["mean"].to_numpy(),
        yerr=None if std.isna().all() else 100 * std.fillna(0).to_numpy(),
        fmt=form,
        color=colour,
        markersize=3,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=1.5,
    )


def _transferred(rows: pd.DataFrame, ticket: int) -> Bar:
    def of(network: str, number: int) -> "pd.Series[float]":
        chosen = rows[(rows["network"] == network) & (rows["ticket"] == number)]
        return 100 * chosen["accuracy"]

    own = of("ticket", ticket)
    marks = {
        "D": of("trained", 0).mean(),
        "o": of("ticket", 0).mean() if ticket else float("nan"),
        "v": of("permuted", ticket).mean(),
    }
    return Bar(own.mean(), own.std(), marks=marks)


def _density(rows: pd.DataFrame, ticket: int) -> str:
    return percent(rows[rows["ticket"] == ticket]["density"].mean())


def _colours(count: int) -> list[str]:
    """From light to dark blue and violet: few, sparse or small last."""
    scale = colormaps["viridis_r"]
    return [to_hex(scale(0.15 + 0.75 * k / max(1, count - 1))) for k in range(count)]


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-")
