"""The numbers of sparse training that a person reads first."""

from typing import Any

import pandas as pd

from tasks.reporting.frames import Frames
from tasks.reporting.percent import percent_cell
from tasks.reporting.sup_tickets.scores import paired, scores


def metrics(frames: Frames) -> dict[str, Any]:
    """For `dvc metrics`, by variant and method on test images: mean accuracy of each ending, mean
    gain of those with cheap tickets over the plain one, and the plain one's training FLOPs."""
    rows = scores(frames).query("images == 'test'")
    result: dict[str, Any] = {}
    for (variant, method, ending), own in rows.groupby(["variant", "method", "ending"], sort=False):
        numbers = result.setdefault(variant, {}).setdefault(method, {})
        numbers[f"accuracy_{ending}"] = round(float(own["accuracy"].mean()), 6)
        if not own["sup"].any():
            numbers["train_fraction"] = round(float(own["train_fraction"].mean()), 6)
    pairs = paired(rows).groupby(["variant", "method", "ending"], sort=False)["gain"].mean()
    for (variant, method, ending), mean in pairs.items():
        result[variant][method][f"gain_{ending}"] = round(float(mean), 6)
    return result


def summary(frames: Frames) -> str:
    """Tables in Markdown, one for each variant: by method, the plain ending and the first of
    Sup-tickets on test images in percent, and the gain in points, mean ± standard deviation over
    seeds; below the table the mean gain of each other ending."""
    rows = scores(frames).query("images == 'test'")
    pairs = paired(rows)
    lines = []
    for variant in dict.fromkeys(rows["variant"]):
        own, gained = rows[rows["variant"] == variant], pairs[pairs["variant"] == variant]
        whole = frames["sup_tickets"].query("variant == @variant")
        seeds = whole["seed"].nunique()
        endings = list(dict.fromkeys(gained["ending"]))
        first = endings[0] if endings else None
        sup = f"Sup-tickets ({first})" if first else "Sup-tickets"
        lines += [
            f"**{whole['dataset'].iloc[0]}, {whole['model'].iloc[0]}, variant {variant}: test "
            f"accuracy of sparse training in %, gain of Sup-tickets in points** (mean"
            f"{' ± std' if seeds > 1 else ''} over {seeds} seed{'s' if seeds > 1 else ''})",
            "",
            f"| method | density | plain | {sup} | gain | training FLOPs |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for method, of_method in own.groupby("method", sort=False):
            plain = of_method[~of_method["sup"]]
            ended = of_method[of_method["ending"] == first]
            gain = gained[(gained["method"] == method) & (gained["ending"] == first)]["gain"]
            cells = [str(method), f"{of_method['density'].mean():.1%}"]
            cells += [_cell(plain["accuracy"]), _cell(ended["accuracy"]), _cell(gain, sign=True)]
            share = (plain if len(plain) else of_method)["train_fraction"].mean()
            lines.append("| " + " | ".join([*cells, f"{share:.1%}"]) + " |")
        lines.append("")
        others = gained[gained["ending"].isin(endings[1:])].groupby(
            ["ending", "method"], sort=False
        )
        if len(others):
            means = ", ".join(
                f"{ending} {_cell(part['gain'], sign=True)} ({method})"
                for (ending, method), part in others
            )
            lines += [f"Gain of the other endings, in points: {means}.", ""]
    return "\n".join(lines)


def _cell(values: "pd.Series[float]", sign: bool = False) -> str:
    if values.empty:
        return "–"
    return percent_cell(values.mean(), values.std(), sign)
