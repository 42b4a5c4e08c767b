"""This part's first sentences, made from its numbers, whatever they say."""

import pandas as pd

from tasks.reporting.corrupted import corrupted_sentences
from tasks.reporting.part import NoData
from tasks.reporting.style import points
from tasks.reporting.sup_tickets.figures.meeting import search_gains
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.scores import is_dense, paired


def sentences(results: Results, unconverged: list[str]) -> list[str]:
    """The headline. unconverged: of `rows.unconverged_sentences`."""
    ood = results.frames["ood"]
    lines = [*unconverged, *corrupted_sentences(ood, results.params, results.dataset)]
    for variant in results.variants:
        lines += [_setting(results, variant)]
        for say in (gain, best, costs):
            lines += say(results, variant)
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
    rows = paired(results.scores)
    rows = rows[(rows["variant"] == variant) & (rows["images"] == "test")]
    rows = rows[(rows["ending"] == first) & ~is_dense(rows)]
    if rows.empty:
        return ["Nothing is said of Sup-tickets: no sparse training has both endings."]
    gains = rows["gain"].round(9)
    equal = (gains == 0).sum()
    ties = f" and no difference in {equal}" if equal else ""
    by_seed = rows.groupby("seed")["gain"].mean()
    spread = ""
    if len(by_seed) > 1:
        spread = f" (standard deviation {points(by_seed.std(), '.2f')} over the seeds' means)"
    return [
        f"Sup-tickets ({results.endings.described(first)}) against the plain ending of the same "
        f"prefix: {points(gains.mean())} points of test accuracy on average{spread}, a gain in "
        f"{(gains > 0).sum()} of {len(rows)} pairs of a sparse method and a seed{ties}. "
        f"{_chance(by_seed)}"
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
    """Training FLOPs of the sparse methods, and what Sup-tickets adds to them."""
    rows = results.scores
    rows = rows[(rows["variant"] == variant) & (rows["images"] == "test") & ~is_dense(rows)]
    plain = rows[~rows["sup"]].groupby("method")["train_fraction"].mean()
    if plain.empty:
        return []
    trained = results.trained(plain.index.to_series())
    spent = [f"{method.label} {100 * plain[method.name]:.1f}%" for method in trained]
    sup = (
        rows[rows["ending"].isin(results.endings.sup[:1])]
        .groupby("method")["train_fraction"]
        .mean()
    )
    change = (sup - plain).dropna()
    added = ""
    if len(change):
        furthest = change[change.abs().idxmax()]
        added = f"; the ending with Sup-tickets changes that by up to {points(furthest)} points"
    return [f"Training FLOPs, as a share of the dense network's: {', '.join(spent)}{added}."]


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
    cia, _ = results.endings.searches()[0]
    apart = ""
    if results.endings.settings[cia]["batch_norm"] != "re-estimate":
        apart = (
            " The search re-estimates batch norm's statistics, too, so it differs in two things."
        )
    return [
        f"Lottery Pools' greedy search over the cheap tickets, instead of CIA (`{cia}`): "
        f"{points(gains.mean())} points of test accuracy on average, {counts} of {len(gains)} "
        f"pairs of a method and a seed.{apart}"
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


def _chance(by_seed: "pd.Series[float]") -> str:
    """How much the agreement of so many seeds says."""
    count = len(by_seed)
    if count == 1:
        return "This is one seed: it says nothing of chance."
    means = ", ".join(points(mean) for mean in by_seed)
    words = {2: "two", 3: "three", 4: "four", 5: "five"}
    seeds = f"These are {words.get(count, count)} seeds (their means: {means})"
    if (by_seed > 0).all() or (by_seed < 0).all():
        return (
            f"{seeds}: if chance alone made the difference, the signs of so many would agree in "
            f"{2.0 ** (1 - count):.0%} of cases."
        )
    return f"{seeds}, whose signs do not agree."


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what if number == 1 else several or what + 's'}"
