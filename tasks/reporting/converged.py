"""Tickets that did not converge: rows of the tables like any other, but part of no mean.

A network at chance, or one that became NaN, would count as a gain whatever pooling gives back to
it, and as a barrier whatever lies beside it.
"""

import pandas as pd

from tasks.reporting.summary import Frames

_TICKET = ["variant", "seed", "ticket"]


def failed(frames: Frames) -> pd.DataFrame:
    """One row per ticket that did not converge: variant, seed, ticket, density."""
    tickets = frames["tickets"]
    return tickets.loc[~tickets["converged"], [*_TICKET, "density"]].drop_duplicates()


def converged(frames: Frames) -> Frames:
    """Every table without the rows of such tickets, and of the pairs that they are in.

    Where no ticket at all converged they stay, since there is nothing else to show.
    """
    if not frames["tickets"]["converged"].any():
        return frames
    without = pd.MultiIndex.from_frame(failed(frames)[_TICKET])
    return {name: _less(frame, without) for name, frame in frames.items()}


def said(frames: Frames) -> list[str]:
    """One sentence for the reader, none if all converged."""
    found, tickets = failed(frames), frames["tickets"][_TICKET].drop_duplicates()
    if found.empty:
        return []
    if len(found) == len(tickets):
        return ["No ticket converged: every number here is of networks that learned nothing."]
    which = ", ".join(
        f"variant {row.variant}, seed {row.seed}, {row.density:.1%} density"
        for row in found.itertuples(index=False)
    )
    return [
        f"{len(found)} of {len(tickets)} tickets did not converge ({which}): to be found in "
        "`results/*.parquet`, but in no mean or figure here."
    ]


def _less(frame: pd.DataFrame, without: pd.MultiIndex) -> pd.DataFrame:
    for column in ("ticket", "ticket_a", "ticket_b"):
        if column in frame:
            of = pd.MultiIndex.from_frame(frame[["variant", "seed", column]])
            frame = frame[~of.isin(without)]
    return frame
