"""This flow's tables on the page: accuracies, tests, the paper's numbers."""

from typing import Any

import pandas as pd

from tasks.reporting.imp_pool.headline import p_value
from tasks.reporting.imp_pool.results import Results
from tasks.reporting.imp_pool.summary import accuracy_by_density, gains
from tasks.reporting.part import Table
from tasks.reporting.published import at_density
from tasks.reporting.style import IMAGES, percent, points, styles


def accuracy_tables(results: Results) -> list[Table]:
    """Density by method, mean ± standard deviation in percent; one table per variant and kind
    of images."""
    rows = accuracy_by_density(results.frames)
    tables = []
    for variant in results.variants:
        for images, name in IMAGES.items():
            part = rows[(rows["variant"] == variant) & (rows["images"] == images)]
            methods = [m for m in ("ticket", *results.headline_methods) if m in set(part["method"])]
            if not methods:
                continue
            seeds = results.seeds(variant)
            over = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ", one seed"
            cells = {
                (r.method, r.ticket): _percent(r.mean, r.std) for r in part.itertuples(index=False)
            }
            tables.append(
                Table(
                    f"{results.setting(variant)}: accuracy on {name} in %{over}",
                    ["Density (%)", *(style.label for style in styles(methods).values())],
                    [
                        [percent(density), *(cells.get((m, ticket), "–") for m in methods)]
                        for ticket, density in results.densities(variant).items()
                    ],
                )
            )
    return tables


def paired_table(tests: pd.DataFrame) -> Table:
    """Pooled against unpooled, pair by pair."""
    return Table(
        "Pooled against unpooled tickets, paired by seed and density",
        ["Variant", "Method", "Images", "Pairs", "Mean gain (points)", "p"],
        [
            [
                str(row.variant),
                str(row.method),
                str(row.images),
                str(int(row.pairs)),
                points(float(row.gain)),
                p_value(float(row.p)).removeprefix("p ").removeprefix("= "),
            ]
            for row in tests.itertuples(index=False)
        ],
        "Two-sided Wilcoxon signed-rank test; p is as it comes, not corrected for the number of "
        "tests. Pairs of one seed share their siblings, so they are not independent and p comes "
        "out too small.",
        words=3,
    )


def paper_tables(results: Results) -> list[Table]:
    """The paper's numbers beside ours, one table per pooled variant; none if the paper does not
    have the setting."""
    accuracy = accuracy_by_density(results.frames).query("images == 'test'")
    tables = []
    for variant in results.pooled:
        paper = results.published_rows(variant)
        if paper.empty:
            continue
        measured = accuracy[accuracy["variant"] == variant]
        methods = [m for m in ("ticket", *results.headline_methods) if m in set(paper["method"])]
        labels = [style.label for style in styles(methods).values()]
        head = [f"{label}: {whose}" for label in labels for whose in ("paper", "ours")]
        rows = []
        for ticket, density in results.densities(variant).items():
            line = [percent(density)]
            for method in methods:
                printed = at_density(paper[paper["method"] == method], density)
                of_method = measured[measured["method"] == method]
                line.append(_first(printed.rename(columns={"accuracy": "mean"})))
                line.append(_first(of_method[of_method["ticket"] == ticket]))
            rows.append(line)
        sources = "; ".join(dict.fromkeys(paper["source"]))
        tables.append(
            Table(
                f"{results.setting(variant)}: test accuracy in %, the paper's beside ours",
                ["Density (%)", *head],
                rows,
                f"Source: {sources}. Data set and network are the paper's. The parameters below "
                "show whether the training is, too, and the search (the paper's is "
                "`pooling.scoring.search: exact`).",
            )
        )
    return tables


def claims_tables(results: Results) -> list[Table]:
    """The gains that the paper's text states for this setting, beside the same gains here; none if
    the paper does not have the setting."""
    published = [v for v in results.pooled if len(results.published_rows(v))]
    if not published:
        return []
    variant = published[0]
    claims = results.published.claims
    claims = claims[claims["dataset"] == results.dataset]
    claims = claims[claims["model"] == results.model(variant)]
    rows = [
        [
            str(row.claim),
            f"{row.model} on {row.dataset}",
            str(row.ticket_kind),
            IMAGES[str(row.images)],
            points(row.value / 100),
            _own_gain(results, variant, row),
        ]
        for row in claims.itertuples(index=False)
    ]
    sources = "; ".join(dict.fromkeys(claims["source"]))
    label = styles(results.headline_methods[:1])[results.headline_methods[0]].label
    table = Table(
        f"{results.setting(variant)}: the gains that the paper's text states",
        ["Claim", "Paper's setting", "Tickets", "Images", "Paper (points)", "Ours (points)"],
        rows,
        f"Ours: gain of {label}, mean over seeds; – where this run has no such ticket. "
        f"Sources: {sources}.",
        words=4,
    )
    return [table]


def _own_gain(results: Results, variant: str, claim: Any) -> str:
    """Our gain of the claim's kind: the dense network's, the largest of any sparse ticket, or the
    gain at the density that the claim names."""
    rows = gains(results.frames)
    rows = rows[(rows["variant"] == variant) & (rows["method"] == results.headline_methods[0])]
    rows = rows[rows["images"] == claim.images]
    rows = rows[(rows["ticket"] == 0) == (claim.ticket_kind == "dense")]
    if claim.density == claim.density:
        rows = at_density(rows, claim.density)
    means = rows.groupby("ticket")["gain"].mean()
    return points(float(means.max())) if len(means) else "–"


def _first(rows: pd.DataFrame) -> str:
    return _percent(rows["mean"].iloc[0], rows["std"].iloc[0]) if len(rows) else "–"


def _percent(mean: float, std: float) -> str:
    if mean != mean:
        return "–"
    return f"{100 * mean:.2f}" if std != std else f"{100 * mean:.2f} ± {100 * std:.2f}"
