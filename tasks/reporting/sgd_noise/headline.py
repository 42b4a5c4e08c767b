"""This part's first sentences, made from its numbers, whatever they say."""

import pandas as pd

from tasks.reporting.no_data import NoData
from tasks.reporting.sgd_noise.correlations import (
    PREDICTORS,
    Correlation,
    correlations,
    leading_method,
    signed,
)
from tasks.reporting.sgd_noise.effects import Effect, effects
from tasks.reporting.sgd_noise.measures import accuracies, is_stable, start_barriers
from tasks.reporting.sgd_noise.results import REWIND, Results
from tasks.reporting.sgd_noise.settings import FACTORS
from tasks.reporting.style import percent, points

_NAMED = 6  # variants that a sentence names, at most
_WEAK = 0.3  # rank correlation below which a sentence calls it weak


def sentences(results: Results, unconverged: list[str]) -> list[str]:
    """The headline. unconverged: of `rows.unconverged_sentences`."""
    return [
        *_setting(results),
        *unconverged,
        *stability(results),
        *what_changes_the_barrier(results),
        *winning(results),
        *prediction(results),
    ]


def _setting(results: Results) -> list[str]:
    names = [name for name in results.variants if name not in results.only_lends]
    own = [results.settings[name] for name in names]
    momenta = _listed(sorted({setting.momentum for setting in own}))
    batches = _listed(sorted({setting.batch_size for setting in own}))
    rewound = dict.fromkeys(setting.rewound for setting in own)
    forks = results.rows_of("forks", removed=None)
    noise = forks["noise"].nunique()
    each = f", {_count(noise, 'fork')} of each start" if noise else ""
    seeds = max(results.seeds(table) for table in ("forks", "tickets"))
    return [
        f"{results.setting}: {_count(len(own), 'variant')} (momentum {momenta}; batch size "
        f"{batches}; {', '.join(rewound)}), {_count(seeds, 'seed')}{each}."
    ]


def stability(results: Results) -> list[str]:
    """Which variants are stable at the rewind point, and what did not converge."""
    rows = is_stable(results.frames, results.threshold)
    rows = rows[(rows["start"] == REWIND) & rows["removed"].isna()]
    if rows.empty:
        return []
    means = rows.set_index("variant")["mean"]
    stable = list(rows[rows["is_stable"]]["variant"])
    limit = f"{100 * results.threshold:g} points"
    named = f" ({_some(stable)})" if stable else ""
    verb = "is" if 1 in (len(stable), len(rows)) else "are"
    said = (
        f"At the rewind point {len(stable)} of {_count(len(rows), 'variant')} "
        f"{verb} stable: mean held-out error barrier below "
        f"{limit}{named}."
    )
    finite = means.dropna()
    if len(finite) > 1:
        low, high = finite.idxmin(), finite.idxmax()
        said += (
            f" Barriers go from {points(finite[low], '.2f')} ({low}) to "
            f"{points(finite[high], '.2f')} points ({high})."
        )
    lost = start_barriers(results.frames)["lost"].sum()
    if lost:
        has = "has" if lost == 1 else "have"
        said += (
            f" {_count(int(lost), 'pair')} of forks {has} no barrier, since a fork did not "
            "converge; its start counts as unstable."
        )
    return [said]


def what_changes_the_barrier(results: Results) -> list[str]:
    """The effects of momentum, batch size and rewinding at the rewind point."""
    found = {e.factor: e for e in effects(results) if e.start == REWIND}
    if not found and REWIND not in results.starts:
        return []
    lines = []
    for factor, (name, _) in FACTORS.items():
        effect = found.get(factor)
        if effect is None:
            lines.append(
                f"{name}: the effect on the error barrier is not measured, since no two variants "
                "with barriers differ in it alone."
            )
        else:
            lines.append(_effect(effect))
    return lines


def _effect(effect: Effect) -> str:
    changes = effect.changes
    by_seed = changes.groupby("seed")["change"].mean()
    seeds = "one seed"
    if len(by_seed) > 1:
        seeds = f"means by seed {', '.join(points(mean) for mean in by_seed)}"
    against = effect.down if effect.papers_sign > 0 else effect.up
    verdict = effect.verdict
    if effect.distinguishable and effect.sign == effect.papers_sign and against:
        verdict += f" on average, though {against} of {len(changes)} go the other way"
    return (
        f"{effect.name}, {effect.span}: the error barrier at the rewind point changes by "
        f"{points(effect.mean)} points on average (test images; up in {effect.up}, down in "
        f"{effect.down} of {_count(len(changes), 'pair')} equal in all else; {seeds}). This is "
        f"{verdict}."
    )


def winning(results: Results) -> list[str]:
    """Whether there are winning tickets without pretraining, and with it."""
    rows = accuracies(results.frames)
    rows = rows[~rows["variant"].isin(results.only_lends)]
    if not (rows["ticket"] > 0).any() or not (rows["ticket"] == 0).any():
        return []
    lines = []
    for words, rewound in (("Without pretraining", False), ("With pretraining", True)):
        names = [
            name
            for name in results.grid
            if (results.settings[name].rewind != 0) == rewound and name in set(rows["variant"])
        ]
        if names:
            lines.append(_winning(words, names, rows[rows["variant"].isin(names)]))
    if lines:
        lines[0] += (
            " A ticket counts as winning if its mean test accuracy over seeds is no lower than the "
            "dense network's; of many tickets some will be so by chance."
        )
    return lines


def _winning(words: str, names: list[str], rows: pd.DataFrame) -> str:
    sparse = rows[rows["ticket"] > 0]
    won = sparse[sparse["winning"]]
    failed = int((sparse["failed"] > 0).sum())
    lost = f"; {failed} did not converge in every seed" if failed else ""
    of_all = f"of {_count(len(sparse), 'sparse ticket')} in {_count(len(names), 'variant')}{lost}"
    if won.empty:
        best = sparse.dropna(subset="lead")
        nearest = (
            f" The best is {points(best['lead'].max())} points from the dense network."
            if len(best)
            else ""
        )
        return f"{words} there is no winning ticket ({of_all}).{nearest}"
    by_variant = won.groupby("variant", sort=False).size()
    named = _some([f"{name}: {count}" for name, count in by_variant.items()])
    best = won.loc[won["lead"].idxmax()]
    return (
        f"{words} there are winning tickets: {len(won)} {of_all} ({named}). The furthest ahead, "
        f"{best['variant']} at {percent(best['density'])}% density, is {points(best['lead'])} "
        "points from the dense network."
    )


def prediction(results: Results) -> list[str]:
    """How well barrier and disagreement tell the gain of pooling."""
    try:
        method = leading_method(results.frames, results.params)
    except NoData:
        return []
    return [_correlation(found) for found in correlations(results.frames, method)]


def _correlation(found: Correlation) -> str:
    of = (
        f"A ticket's {PREDICTORS[found.predictor]} against what pooling gains ({found.method}, "
        f"{_count(found.rows, 'pooled ticket')}, {_count(found.seeds, 'seed')})"
    )
    if not found.defined:
        return f"{of}: no rank correlation, since there are too few different numbers."
    said = f"{of}: Spearman's ρ {signed(found.rho)} over all variants and densities"
    if found.within == found.within:
        said += f" (mean within one density {signed(found.within)})"
    if not found.interval:
        return f"{said}. With one seed there is no interval, and nothing is said of chance."
    said += f", percentile bootstrap over {found.seeds} seeds {found.interval}"
    if not found.decides:
        return f"{said}. So few seeds do not decide whether it tells the gain."
    if not found.certain:
        return f"{said}. The interval holds zero: it does not tell the gain here."
    falls = "lower" if found.rho < 0 else "higher"
    tends = "tends" if abs(found.rho) >= _WEAK else "tends, weakly,"
    return f"{said}: the higher it is, the {falls} the gain {tends} to be."


def _listed(values: list[float] | list[int]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else what + 's'}"
