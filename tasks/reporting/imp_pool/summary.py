"""The numbers of a run that a person reads first: accuracy by density, and what pooling gains.

Tables of this module say in column `images` which images a number was measured on: `test`, or
`corrupted`, which is the mean over all corruptions and severities.
"""

from typing import Any

import pandas as pd
from scipy.stats import wilcoxon

from tasks.reporting.frames import Frames
from tasks.reporting.percent import percent_cell


def accuracy_by_density(frames: Frames) -> pd.DataFrame:
    """Mean and standard deviation over seeds of test and corrupted accuracy.

    One row for each variant, method (`ticket`: unpooled), ticket and kind of images. Columns
    density, mean, std (NaN with one seed).
    """
    keys = ["variant", "method", "ticket", "seed"]
    values = ["density", "accuracy"]
    tickets = frames["tickets"].query("split == 'test'").assign(method="ticket")
    pools = frames["pools"].query("split == 'test'")
    test = pd.concat([frame[keys + values] for frame in (tickets, pools)])
    corrupted = frames["ood"].groupby(keys, sort=False, as_index=False)[values].mean()
    both = pd.concat([test.assign(images="test"), corrupted.assign(images="corrupted")])
    return (
        both.groupby(["variant", "method", "ticket", "images"], sort=False)
        .agg(density=("density", "mean"), mean=("accuracy", "mean"), std=("accuracy", "std"))
        .reset_index()
    )


def gains(frames: Frames) -> pd.DataFrame:
    """Gain of each pooled ticket over the unpooled one of its seed and density, in accuracy 0–1.

    Columns variant, method, ticket, seed, density, images (`test` or `corrupted`), gain.
    """
    keys = ["variant", "method", "ticket", "seed", "density"]
    test = frames["pools"].query("split == 'test'")[[*keys, "gain"]].assign(images="test")
    means = frames["ood"].groupby(keys, sort=False, as_index=False)["accuracy"].mean()
    unpooled = means.query("method == 'ticket'").drop(columns=["method", "density"])
    pooled = means.query("method != 'ticket'")
    pooled = pooled.merge(unpooled, on=["variant", "ticket", "seed"], suffixes=("", "_ticket"))
    corrupted = pooled.assign(gain=pooled.accuracy - pooled.accuracy_ticket, images="corrupted")
    return pd.concat([test, corrupted[[*keys, "gain", "images"]]], ignore_index=True)


def paired_tests(frames: Frames) -> pd.DataFrame:
    """Whether pooling helps beyond chance: pooled against unpooled, paired by seed and density.

    One row for each variant, method and kind of images; columns pairs, gain (their mean), p
    (two-sided Wilcoxon signed-rank test; 1 where nothing differs). Pairs of one seed share
    siblings, so they are not independent, and p comes out smaller than it should.
    """
    groups = gains(frames).groupby(["variant", "method", "images"], sort=False)["gain"]
    return groups.agg(pairs="size", gain="mean", p=_wilcoxon).reset_index()


def _wilcoxon(gain: pd.Series) -> float:
    gain = gain.round(9)  # equal counts of images, subtracted, differ in the last bit: ties
    return float(wilcoxon(gain).pvalue) if gain.any() else 1.0


def metrics(frames: Frames) -> dict[str, Any]:
    """For `dvc metrics`, by variant and images: mean accuracy of the tickets and mean gain of each
    method; on test images, the error barriers between neighbours, too."""
    result: dict[str, Any] = {}
    tickets = accuracy_by_density(frames).query("method == 'ticket'")
    for (variant, images), mean in tickets.groupby(["variant", "images"])["mean"].mean().items():
        numbers = result.setdefault(variant, {}).setdefault(images, {})
        numbers["ticket_accuracy"] = round(float(mean), 6)
    by_method = gains(frames).groupby(["variant", "images", "method"])["gain"].mean()
    for (variant, images, method), mean in by_method.items():
        result[variant][images][f"gain_{method}"] = round(float(mean), 6)
    barriers = frames["barriers"].query("split == 'test'").dropna(subset="error_barrier")
    for variant, heights in barriers.groupby("variant")["error_barrier"]:
        result[variant]["test"] |= {
            "error_barrier_mean": round(float(heights.mean()), 6),
            "error_barrier_max": round(float(heights.max()), 6),
        }
    return result


def plots(frames: Frames) -> Frames:
    """For `dvc plots`, means over seeds: `accuracy` by density, and `curves` by epoch."""
    accuracy = accuracy_by_density(frames)[["variant", "images", "method", "density", "mean"]]
    keys = ["variant", "split", "ticket", "epoch"]
    curves = frames["curves"].dropna(subset="ticket").groupby(keys, sort=False)
    means = curves[["density", "accuracy"]].mean().reset_index()
    return {"accuracy": accuracy.rename(columns={"mean": "accuracy"}), "curves": means}


def summary(frames: Frames) -> str:
    """Tables of gains in Markdown, one for each variant and kind of images.

    They hold the accuracy of each ticket in percent and each method's gain in points, mean ±
    standard deviation over seeds. A method has a column if it was evaluated on corrupted images;
    below the table stands the mean gain of each other method.
    """
    seeds = frames["tickets"]["seed"].nunique()
    dataset = frames["tickets"]["dataset"].iloc[0]
    accuracy, gained = accuracy_by_density(frames), gains(frames)
    lines = []
    tables = accuracy[["variant", "images"]].drop_duplicates()
    for variant, images in tables.itertuples(index=False):
        of_variant = gained[gained["variant"] == variant]
        with_column = set(of_variant[of_variant["images"] == "corrupted"]["method"])
        gain = of_variant[of_variant["images"] == images]
        methods = [name for name in dict.fromkeys(gain["method"]) if name in with_column]
        measured = "test accuracy" if images == "test" else "accuracy on corrupted images"
        model = frames["tickets"].query("variant == @variant")["model"].iloc[0]
        lines += [
            f"**{dataset}, {model}, variant {variant}: {measured} of tickets in %"
            f"{', gain of pooling in points' if methods else ''}** (mean"
            f"{' ± std' if seeds > 1 else ''} over {seeds} seed{'s' if seeds > 1 else ''})",
            "",
            "| " + " | ".join(["density", "ticket", *methods]) + " |",
            "|---:|---:|" + "---:|" * len(methods),
        ]
        rows = accuracy.query("variant == @variant and images == @images and method == 'ticket'")
        by_ticket = gain.groupby(["ticket", "method"])["gain"].agg(["mean", "std"])
        for row in rows.itertuples():
            cells = [f"{row.density:.1%}", percent_cell(row.mean, row.std)]
            for method in methods:
                of_ticket = by_ticket.loc[(row.ticket, method)]
                cells.append(percent_cell(of_ticket["mean"], of_ticket["std"], sign=True))
            lines.append("| " + " | ".join(cells) + " |")
        overall = gain.groupby("method", sort=False)["gain"].mean()
        cells = ["all", percent_cell(rows["mean"].mean())]
        cells += [percent_cell(overall[method], sign=True) for method in methods]
        lines += ["| " + " | ".join(cells) + " |", ""]
        others = overall.drop(methods)
        if len(others):
            means = ", ".join(
                f"{name} {percent_cell(mean, sign=True)}" for name, mean in others.items()
            )
            lines += [f"Mean gain of the other methods, in points: {means}.", ""]
    return "\n".join(lines)
