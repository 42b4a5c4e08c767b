"""The numbers of SGD noise that a person reads first."""

from typing import Any

import pandas as pd

from tasks.reporting.frames import Frames
from tasks.reporting.percent import percent_cell
from tasks.reporting.sgd_noise.correlations import bootstrap, correlations, pooled_methods, signed
from tasks.reporting.sgd_noise.measures import DECIDES, start_barriers


def metrics(frames: Frames) -> dict[str, Any]:
    """For `dvc metrics`, by variant: below `barrier`, the mean test barrier at each start; below
    `stable_share`, the share of all its pairs whose held-out barrier is below the threshold (a pair
    with a fork that did not converge has none); and the first stable epoch. Starts on all images
    alone. A number that is not finite is left out."""
    result: dict[str, Any] = {}
    for name, split, column in (
        ("barrier", "test", "mean"),
        ("stable_share", DECIDES, "stable"),
    ):
        rows = start_barriers(frames, split)
        for row in rows[rows["removed"].isna()].dropna(subset=column).to_dict("records"):
            numbers = result.setdefault(row["variant"], {}).setdefault(name, {})
            numbers[row["start"]] = round(float(row[column]), 6)
    for variant, epoch in frames["stable_rewind"].groupby("variant")["epoch"].mean().items():
        result.setdefault(str(variant), {})["stable_epoch"] = round(float(epoch), 6)
    return result


def predictor_metrics(frames: Frames) -> dict[str, Any]:
    """By method and predictor, its rank correlation with the gain of pooling; none that is not
    defined."""
    return {
        method: by_predictor
        for method in pooled_methods(frames)
        if (
            by_predictor := {
                found.predictor: round(found.rho, 6)
                for found in correlations(frames, method)
                if found.defined
            }
        )
    }


def summary(frames: Frames) -> str:
    """Tables in Markdown: barriers by variant and start, and what tells the gain of pooling."""
    lines: list[str] = []
    test, held_out = (start_barriers(frames, split) for split in ("test", DECIDES))
    test, held_out = (rows[rows["removed"].isna()] for rows in (test, held_out))
    if len(test):
        lines += _barriers(frames, test, held_out)
    found = [c for method in pooled_methods(frames) for c in correlations(frames, method)]
    if any(c.defined for c in found):
        lines += [
            "**What tells the gain of pooling: Spearman's rank correlation over all variants and "
            f"densities** (interval: {bootstrap(max(c.seeds for c in found))})",
            "",
            "| method | predictor | ρ | within density | interval | pooled tickets |",
            "|---|---|---:|---:|---:|---:|",
        ]
        for c in found:
            if c.defined:
                within = signed(c.within) if c.within == c.within else "–"
                cells = [c.method, c.predictor, signed(c.rho), within, c.interval or "–"]
                cells.append(str(c.rows))
                lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _barriers(frames: Frames, test: pd.DataFrame, held_out: pd.DataFrame) -> list[str]:
    stable = held_out.set_index(["variant", "start"])["stable"]
    seeds = frames["instability"]["seed"].nunique()
    lines = [
        f"**{frames['instability']['dataset'].iloc[0]}: error barrier between forks, test images, "
        f"in points** (mean ± std over pairs of forks and {seeds} seed{'s' if seeds > 1 else ''})",
        "",
        "| variant | forks start at | density | barrier | stable pairs |",
        "|---|---|---:|---:|---:|",
    ]
    for row in test.to_dict("records"):
        share = stable.get((row["variant"], row["start"]))
        known = row["mean"] == row["mean"]
        cells = [
            row["variant"],
            row["start"] if not row["start"].isdigit() else f"ticket {row['start']}",
            f"{row['density']:.1%}",
            percent_cell(row["mean"], row["std"]) if known else "– (not converged)",
            "–" if share is None else f"{share:.0%}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]
