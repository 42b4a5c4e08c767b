"""The figures of a run that a person reads first: accuracy by density, and what pooling gains."""

from typing import Any

import pandas as pd
from scipy.stats import wilcoxon

Frames = dict[str, pd.DataFrame]


def by_density(frames: Frames) -> pd.DataFrame:
    """Mean and standard deviation over seeds of test and corrupted accuracy.

    One row for each variant, method (`ticket`: unpooled), ticket and place (`test` or
    `corrupted`); columns density, mean, std (NaN with one seed). Corrupted accuracy is the mean
    over corruptions and severities.
    """
    keys = ["variant", "method", "ticket", "seed"]
    values = ["density", "accuracy"]
    tickets = frames["tickets"].query("split == 'test'").assign(method="ticket")
    pools = frames["pools"].query("split == 'test'")
    test = pd.concat([frame[keys + values] for frame in (tickets, pools)])
    corrupted = frames["ood"].groupby(keys, sort=False, as_index=False)[values].mean()
    both = pd.concat([test.assign(place="test"), corrupted.assign(place="corrupted")])
    return (
        both.groupby(["variant", "method", "ticket", "place"], sort=False)
        .agg(density=("density", "mean"), mean=("accuracy", "mean"), std=("accuracy", "std"))
        .reset_index()
    )


def gains(frames: Frames) -> pd.DataFrame:
    """Gain of each pooled ticket over the unpooled one of its seed and density, in accuracy 0–1.

    Columns variant, method, ticket, seed, density, place (`test` or `corrupted`), gain.
    """
    keys = ["variant", "method", "ticket", "seed", "density"]
    test = frames["pools"].query("split == 'test'")[[*keys, "gain"]].assign(place="test")
    means = frames["ood"].groupby(keys, sort=False, as_index=False)["accuracy"].mean()
    base = means.query("method == 'ticket'").drop(columns=["method", "density"])
    pooled = means.query("method != 'ticket'")
    pooled = pooled.merge(base, on=["variant", "ticket", "seed"], suffixes=("", "_ticket"))
    corrupted = pooled.assign(gain=pooled.accuracy - pooled.accuracy_ticket, place="corrupted")
    return pd.concat([test, corrupted[[*keys, "gain", "place"]]], ignore_index=True)


def paired(frames: Frames) -> pd.DataFrame:
    """Whether pooling helps beyond chance: pooled against unpooled, paired by seed and density.

    One row for each variant, method and place; columns pairs, gain (their mean), p (two-sided
    Wilcoxon signed-rank test; 1 where nothing differs). Pairs of one seed share siblings, so they
    are not independent, and p comes out smaller than it should.
    """
    keys = ["variant", "method", "place"]
    tested = gains(frames).groupby(keys, sort=False)["gain"]
    found = tested.agg(pairs="size", gain="mean", p=_wilcoxon)
    return found.reset_index()


def _wilcoxon(gain: pd.Series) -> float:
    gain = gain.round(9)  # equal counts of images, subtracted, differ in the last bit: ties
    return float(wilcoxon(gain).pvalue) if gain.any() else 1.0


def metrics(frames: Frames) -> dict[str, Any]:
    """For `dvc metrics`, by variant: mean accuracy of the tickets, mean gain of each method, and
    the error barriers between neighbours (on test images)."""
    result: dict[str, Any] = {}
    for row in by_density(frames).query("method == 'ticket'").groupby(["variant", "place"]):
        (variant, place), group = row
        result.setdefault(variant, {}).setdefault(place, {})["ticket_accuracy"] = round(
            float(group["mean"].mean()), 6
        )
    for (variant, place, method), group in gains(frames).groupby(["variant", "place", "method"]):
        result[variant][place][f"gain_{method}"] = round(float(group["gain"].mean()), 6)
    barriers = frames["barriers"].query("split == 'test'").dropna(subset="error_barrier")
    for variant, found in barriers.groupby("variant")["error_barrier"]:
        result[variant]["test"] |= {
            "error_barrier_mean": round(float(found.mean()), 6),
            "error_barrier_max": round(float(found.max()), 6),
        }
    return result


def plots(frames: Frames) -> Frames:
    """For `dvc plots`, means over seeds: `accuracy` by density, and `curves` by epoch."""
    accuracy = by_density(frames)[["variant", "place", "method", "density", "mean"]]
    ticket = ["variant", "split", "ticket", "epoch"]
    curves = frames["curves"].dropna(subset="ticket").groupby(ticket, sort=False)
    means = curves[["density", "accuracy"]].mean().reset_index()
    return {"accuracy": accuracy.rename(columns={"mean": "accuracy"}), "curves": means}


def summary(frames: Frames) -> str:
    """The table of gains in Markdown: test and corrupted accuracy of each ticket in percent, and
    each method's gain in points, mean ± standard deviation over seeds. Columns of their own have
    the methods that were evaluated on corrupted images; of the others, the mean gain is listed."""
    seeds = frames["tickets"]["seed"].nunique()
    dataset = frames["tickets"]["dataset"].iloc[0]
    accuracy, gained = by_density(frames), gains(frames)
    lines = []
    for variant, place in accuracy[["variant", "place"]].drop_duplicates().itertuples(index=False):
        here = gained.query("variant == @variant and place == @place")
        main = set(gained.query("variant == @variant and place == 'corrupted'")["method"])
        methods = [name for name in dict.fromkeys(here["method"]) if name in main]
        where = "test accuracy" if place == "test" else "accuracy on corrupted images"
        model = frames["tickets"].query("variant == @variant")["model"].iloc[0]
        lines += [
            f"**{dataset}, {model}, variant {variant}: {where} of tickets in %"
            f"{', gain of pooling in points' if methods else ''}** (mean"
            f"{' ± std' if seeds > 1 else ''} over {seeds} seed{'s' if seeds > 1 else ''})",
            "",
            "| " + " | ".join(["density", "ticket", *methods]) + " |",
            "|---:|---:|" + "---:|" * len(methods),
        ]
        rows = accuracy.query("variant == @variant and place == @place and method == 'ticket'")
        by_ticket = here.groupby(["ticket", "method"])["gain"].agg(["mean", "std"])
        for row in rows.itertuples():
            found = [by_ticket.loc[(row.ticket, method)] for method in methods]
            cells = [f"{row.density:.1%}", _cell(row.mean, row.std)]
            cells += [_cell(one["mean"], one["std"], sign=True) for one in found]
            lines.append("| " + " | ".join(cells) + " |")
        overall = here.groupby("method", sort=False)["gain"].mean()
        cells = ["all", _cell(rows["mean"].mean())]
        cells += [_cell(overall[method], sign=True) for method in methods]
        lines += ["| " + " | ".join(cells) + " |", ""]
        others = [
            f"{name} {_cell(overall[name], sign=True)}" for name in overall.index.drop(methods)
        ]
        if others:
            lines += [f"Mean gain of the other methods, in points: {', '.join(others)}.", ""]
    return "\n".join(lines)


def _cell(mean: float, std: float = float("nan"), sign: bool = False) -> str:
    text = f"{100 * mean:+.2f}" if sign else f"{100 * mean:.2f}"
    return text if std != std else f"{text} ± {100 * std:.2f}"
