"""The report's first sentences, made from its numbers: the setting, and what pooling gains."""

import math

import pandas as pd

from tasks.reporting.corrupted import corrupted_sentences
from tasks.reporting.imp_pool.results import Results
from tasks.reporting.imp_pool.rewinding import rewinding
from tasks.reporting.imp_pool.summary import accuracy_by_density, gains
from tasks.reporting.style import IMAGES, percent, points, styles


def sentences(results: Results, tests: pd.DataFrame, unconverged: list[str]) -> list[str]:
    """The headline.

    tests: of `tasks.reporting.imp_pool.summary.paired_tests`. unconverged: of
    `tasks.reporting.imp_pool.converged.unconverged_sentences`.
    """
    lines = [_setting(results), *unconverged]
    corrupted = corrupted_sentences(results.frames["ood"], results.params, results.dataset)
    if not results.pooled:
        return [*lines, *corrupted, *rewinding(results)]
    variant, method = results.pooled[0], results.headline_methods[0]
    for images in IMAGES:
        lines += _gain(results, tests, variant, method, images)
    return [*lines, *corrupted, *_dense(results, variant, method), *rewinding(results)]


def _setting(results: Results) -> str:
    densities = results.densities(results.variants[0])
    seeds = max(results.seeds(variant) for variant in results.variants)
    names = ", ".join(results.described(variant) for variant in results.variants)
    return (
        f"{results.models(results.variants)} on {results.dataset}: {len(densities)} tickets from "
        f"{percent(densities.max())}% to {percent(densities.min())}% density, {seeds} "
        f"seed{'s' if seeds > 1 else ''}; variants: {names}."
    )


def _gain(
    results: Results, tests: pd.DataFrame, variant: str, method: str, images: str
) -> list[str]:
    def of_method(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame[(frame["variant"] == variant) & (frame["method"] == method)]
        return frame[frame["images"] == images]

    rows = of_method(gains(results.frames))
    if rows.empty:
        return []
    by_ticket = rows.groupby("ticket")["gain"].mean()
    density = percent(results.densities(variant)[by_ticket.idxmax()])
    test = "".join(
        f"; paired Wilcoxon test over {int(row.pairs)} pairs: {p_with_remark(float(row.p))}"
        for row in of_method(tests).itertuples()
    )
    return [
        f"{styles([method])[method].label} on {IMAGES[images]}: {points(by_ticket.mean())} "
        f"points over the unpooled tickets on average, at best {points(by_ticket.max())} "
        f"points at {density}% density (variant {variant}{test})."
    ]


def _dense(results: Results, variant: str, method: str) -> list[str]:
    rows = accuracy_by_density(results.frames)
    rows = rows[(rows["variant"] == variant) & (rows["images"] == "test") & (rows["ticket"] == 0)]
    mean = rows.set_index("method")["mean"]
    if not {"ticket", method} <= set(mean.index):
        return []
    return [
        f"The dense network goes from {100 * mean['ticket']:.2f}% to {100 * mean[method]:.2f}% "
        "test accuracy when its sparse descendants are pooled into it."
    ]


def p_with_remark(p: float) -> str:
    """`p_value`; where a reader could take it for a proof, with what speaks against that."""
    shared = ", too small a value, since the pairs of one seed share siblings"
    return p_value(p) + (shared if p < 0.05 else "")


def p_value(p: float) -> str:
    """`p = 0.03`; very small ones as a bound, since the test's assumptions do not reach there."""
    if math.isnan(p):
        return "p is undefined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
