"""Which rows of the tables this part shows, and which of its trainings converged.

The barrier between two networks at chance is zero, so a fork that learned nothing would pass for a
stable one.
"""

import pandas as pd

from tasks.reporting.frames import Frames
from tasks.reporting.imp_pool import converged as tickets

# Tables that only this flow fills; `predictors` has rows wherever tickets are pooled.
OWN = (
    *("forks", "fork_curves", "instability", "instability_paths", "crossed", "probes"),
    *("transfer", "few_shot", "rewind_probes", "stable_rewind"),
)
START = ["variant", "seed", "start", "removed"]
_FORK = [*START, "noise"]
_OF_FORKS = ("forks", "fork_curves", "instability_paths")
_OF_TICKETS = ("tickets", "barriers", "predictors")


def ran(frames: Frames) -> bool:
    """Whether any stage of this flow has left rows."""
    return any(len(frames[name]) for name in OWN)


def without_unconverged(frames: Frames) -> Frames:
    """The tables without forks that did not converge and without the lines to one, and the barriers
    between tickets and the predictors without such tickets.

    `instability` keeps every pair: one with such a fork has no barrier and is not stable, so that
    its start does not pass for a stable one. Tables of accuracies keep all rows, as the paper's do.
    Where no fork, or no ticket, converged, its rows stay, since there is nothing else to show.
    """
    of_tickets = tickets.without_unconverged({name: frames[name] for name in _OF_TICKETS})
    kept = frames | {name: of_tickets[name] for name in _OF_TICKETS if name != "tickets"}
    lost = unconverged(frames)
    if lost.empty:
        return kept
    gone = pd.MultiIndex.from_frame(lost)
    kept["instability"] = _void(kept["instability"], gone)
    if len(lost) == len(_forks(frames)):
        return kept
    return kept | {name: _without(kept[name], gone) for name in _OF_FORKS}


def unconverged(frames: Frames) -> pd.DataFrame:
    """One row for each fork that did not converge. Columns variant, seed, start, removed, noise;
    removed is empty for none."""
    rows = frames["forks"]
    return _named(rows.loc[~rows["converged"].astype(bool)])[_FORK].drop_duplicates()


def unconverged_sentences(frames: Frames) -> list[str]:
    """A sentence that counts the forks that did not converge, by variant; none if all did."""
    lost, forks = unconverged(frames), _forks(frames)
    if lost.empty:
        return []
    if len(lost) == len(forks):
        return ["No fork converged, so no pair of forks has a barrier, and no start is stable."]
    counts = ", ".join(f"{name}: {len(rows)}" for name, rows in lost.groupby("variant", sort=False))
    return [
        f"{len(lost)} of {len(forks)} forks did not converge ({counts}): no mean here includes "
        "them or a pair with one of them, since barriers of networks at chance would be zero."
    ]


def _forks(frames: Frames) -> pd.DataFrame:
    return _named(frames["forks"])[_FORK].drop_duplicates()


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """With an empty text for no removed samples: nulls equal nothing."""
    return rows.assign(removed=rows["removed"].fillna("").astype(str))


def _without(frame: pd.DataFrame, gone: pd.MultiIndex) -> pd.DataFrame:
    return frame[~_has_one(frame, gone)]


def _void(pairs: pd.DataFrame, gone: pd.MultiIndex) -> pd.DataFrame:
    """Pairs of forks, those with one that did not converge without a barrier and not stable."""
    failed = _has_one(pairs, gone)
    heights = pairs[["error_barrier", "loss_barrier"]].mask(failed)
    return pairs.assign(**heights, stable=pairs["stable"].astype(bool) & ~failed)


def _has_one(frame: pd.DataFrame, gone: pd.MultiIndex) -> "pd.Series[bool]":
    """Which rows are of a fork, or of a pair with a fork, that is among these."""
    found = pd.Series(False, index=frame.index)
    for column in ("noise", "noise_a", "noise_b"):
        if column in frame:
            found |= pd.MultiIndex.from_frame(_named(frame)[[*START, column]]).isin(gone)
    return found
