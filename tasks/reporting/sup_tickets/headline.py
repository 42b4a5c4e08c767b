"""This part's first sentences, made from its numbers, whatever they say."""

import pandas as pd

from tasks.reporting.corrupted import corrupted_sentences
from tasks.reporting.no_data import NoData
from tasks.reporting.style import points
from tasks.reporting.sup_tickets.figures.meeting import search_gains
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.scores import is_dense, paired


def sentences(results: Results, unconverged: list[str]) -> list[str]:
    """The headline. unconverged: of `rows.unconverged_sentences`."""
    lines = [*unconverged]
    what = corrupted_sentences(results.frames["ood"], results.params, results.dataset)
    for variant in results.variants:
        lines += [_setting(results, variant), *gain(results, variant)]
        on_corrupted = gain_on_corrupted(results, variant)
        if on_corrupted:
            lines += [*on_corrupted, *what]
            what = []  # said once
        lines += [*best(results, variant), *costs(results, variant)]
    return [*lines, *search(results), *siblings(results)]


def _setting(results: Results, variant: str) -> str:
    trained = results.trained(results.rows_of("sup_tickets", variant)["method"])
    names = ", ".join(method.label for method in trained)
    seeds, epochs = results.seeds(variant), results.epochs(variant)
    return (
        f"{results.setting(variant)}: {names}; {_count(seeds, 'seed')}. Epochs "
        f"{results.start + 1} to {epochs} of {epochs} are trained once for each ending, from the "
        "same state."
    )


def gain(results: Results, variant: str) -> list[str]:
    """The first ending against the plain one, over the sparse methods, pair by pair."""
    try:
        first = results.endings.first
    except NoData as reason:
        return [f"Nothing is said of Sup-tickets: {reason}."]
    every = _pairs(results, variant, "test", first)
    rows, dense = every[~is_dense(every)], every[is_dense(every)]
    if rows.empty:
        return ["Nothing is said of Sup-tickets: no sparse training has both endings."]
    by_seed = rows.groupby("seed")["gain"].mean()
    spread = ""
    if len(by_seed) > 1:
        spread = f" (standard deviation {points(by_seed.std(), '.2f')} over the seeds' means)"
    apart = ""
    if len(dense):
        change = points(dense["gain"].mean())
        apart = f" The dense network, which is not in this mean: {change} points."
    return [
        f"Over the sparse methods, Sup-tickets ({results.endings.described(first)}) against the "
        f"plain ending of the same prefix: {points(rows['gain'].mean())} points of test accuracy "
        f"on average{spread}, {_gained(rows['gain'])}. {_chance(by_seed)}{apart}"
    ]


def gain_on_corrupted(results: Results, variant: str) -> list[str]:
    """The same on corrupted images; nothing where none were measured."""
    if not results.endings.sup:
        return []
    rows = _pairs(results, variant, "corrupted", results.endings.first)
    rows = rows[~is_dense(rows)]
    if rows.empty:
        return []
    return [
        f"The same on corrupted images: {points(rows['gain'].mean())} points of accuracy on "
        f"average, {_gained(rows['gain'])}."
    ]


def best(results: Results, variant: str) -> list[str]:
    """The sparse network that held-out accuracy would choose, against the dense one.

    A search is left out: it has used the held-out images to make its ticket.
    """
    rows = results.rows_of("sup_tickets", variant)
    plain = rows[~rows["sup"].astype(bool) & is_dense(rows) & (rows["split"] == "test")]
    sparse = rows[~is_dense(rows) & (rows["average"] != "search")]
    held_out = sparse[sparse["split"] == "val"]
    if plain.empty or held_out.empty:
        return []
    method, ending = held_out.groupby(["method", "ending"])["accuracy"].mean().idxmax()
    chosen = sparse[(sparse["method"] == method) & (sparse["ending"] == ending)]
    chosen = chosen[chosen["split"] == "test"]
    mean, dense = chosen["accuracy"].mean(), plain["accuracy"].mean()
    apart = points(abs(mean - dense), ".2f")
    side = "above" if mean > dense else "below"
    verdict = "as much as" if apart == "0.00" else f"{apart} points {side}"
    label = results.methods[method].label if method in results.methods else method
    return [
        f"The best sparse network by held-out accuracy, {label} with ending {ending}, has "
        f"{100 * mean:.2f}% test accuracy: {verdict} the dense network's {100 * dense:.2f}% "
        "(plain ending)."
    ]


def costs(results: Results, variant: str) -> list[str]:
    """Training FLOPs of the sparse methods, and what Sup-tickets changes in them and in those of
    a test image."""
    rows = results.scores
    rows = rows[(rows["variant"] == variant) & (rows["images"] == "test") & ~is_dense(rows)]
    plain = rows[~rows["sup"]].groupby("method")["train_fraction"].mean()
    if plain.empty:
        return []
    trained = results.trained(plain.index.to_series())
    spent = [f"{method.label} {100 * plain[method.name]:.1f}%" for method in trained]
    said = f"Training FLOPs, as a share of the dense network's: {', '.join(spent)}"
    pairs = paired(rows)
    pairs = pairs[pairs["ending"].isin(results.endings.sup[:1])]
    if pairs.empty:
        return [f"{said}."]
    train, test = (
        (pairs[column] - pairs[f"{column}_plain"]).groupby(pairs["method"]).mean()
        for column in ("train_fraction", "test_fraction")
    )
    added = f"the ending with Sup-tickets changes that by up to {points(_furthest(train))} points"
    return [f"{said}; {added}. {_test_flops(results, test)}"]


def search(results: Results) -> list[str]:
    """Greedy search over the cheap tickets against CIA, over all pairs."""
    try:
        rows = search_gains(results)
    except NoData:
        return []
    if rows.empty:
        return []
    gains = rows["gain"].round(9)
    counts = f"better in {(gains > 0).sum()}, worse in {(gains < 0).sum()}"
    cia, searched = results.endings.searches()[0]
    apart = ""
    if results.endings.settings[cia]["batch_norm"] != "re-estimate":
        apart = (
            " The search re-estimates batch norm's statistics, too, so it differs in two things."
        )
    return [
        f"Lottery Pools' greedy search over the cheap tickets (`{searched}`) against CIA "
        f"(`{cia}`): {points(gains.mean())} points of test accuracy on average over `{cia}`, "
        f"{counts} of {len(gains)} pairs of a method and a seed.{apart}"
    ]


def siblings(results: Results) -> list[str]:
    """Whether the pools of imp-pool accepted a Sup-ticket, and what it did to them."""
    lines = []
    rows = results.frames["siblings"].query("split == 'test'")
    for (variant, method), own in rows.groupby(["variant", "method"], sort=False):
        label = results.methods[method].label if method in results.methods else method
        taken = own[own["accepted"].astype(bool)]
        offer = (
            f"Offered to the pools of pruned tickets (variant {variant}, `{own['pool'].iloc[0]}`), "
            f"the Sup-ticket of {label} was accepted by"
        )
        if taken.empty:
            lines.append(f"{offer} none of {len(own)} searches.")
            continue
        change = (taken["accuracy_with"] - taken["accuracy_without"]).mean()
        weight = 1 - taken["coefficient"].mean()
        lines.append(
            f"{offer} {len(taken)} of {_count(len(own), 'search', 'searches')}, with a weight of "
            f"{100 * weight:.0f}% on average, and changed test accuracy by {points(change)} points "
            "on average where it was. A search accepts what does not hurt, so a small weight says "
            "little."
        )
    return lines


def _pairs(results: Results, variant: str, images: str, ending: str) -> pd.DataFrame:
    rows = paired(results.scores)
    rows = rows[(rows["variant"] == variant) & (rows["images"] == images)]
    return rows[rows["ending"] == ending]


def _gained(gains: "pd.Series[float]") -> str:
    rounded = gains.round(9)
    equal = (rounded == 0).sum()
    ties = f" and no difference in {equal}" if equal else ""
    pairs = f"{_count(len(gains), 'pair')} of a sparse method and a seed"
    return f"a gain in {(rounded > 0).sum()} of {pairs}{ties}"


def _chance(by_seed: "pd.Series[float]") -> str:
    """How much the agreement of so many seeds says."""
    count = len(by_seed)
    if count == 1:
        return "This is one seed: it says nothing of chance."
    means = ", ".join(points(mean) for mean in by_seed)
    words = {2: "two", 3: "three", 4: "four", 5: "five"}
    seeds = f"With {words.get(count, count)} seeds (means {means})"
    if not ((by_seed > 0).all() or (by_seed < 0).all()):
        return f"{seeds}, the signs do not even agree."
    if count == 2:
        return f"{seeds}, equal signs are a coin toss."
    return f"{seeds}, chance alone gives equal signs in {100 * 2.0 ** (1 - count):.3g}% of cases."


def _furthest(change: "pd.Series[float]") -> float:
    return float(change[change.abs().idxmax()])


def _test_flops(results: Results, change: "pd.Series[float]") -> str:
    """change: of each method, as a share of the dense network's."""
    furthest = points(_furthest(change))
    if furthest == points(0):
        return "A test image costs the superposed ticket as much as the plain one."
    name = str(change.abs().idxmax())
    return (
        f"A test image's FLOPs change, too, by up to {furthest} points "
        f"({results.methods[name].label}): pruning over all layers moves density between them, so "
        "the same density is not the same cost."
    )


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what if number == 1 else several or what + 's'}"
