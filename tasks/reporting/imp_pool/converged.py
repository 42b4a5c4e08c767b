"""Tickets that did not converge: rows of the tables like any other, but part of no mean.

Averaging in a network at chance, or one that became NaN, would count as a gain whatever pooling
gives back to it, and as a barrier whatever lies beside it.
"""

import pandas as pd

from tasks.reporting.frames import Frames

_TICKET = ["variant", "seed", "ticket"]


def unconverged(frames: Frames) -> pd.DataFrame:
    """One row for each ticket that did not converge. Columns variant, seed, ticket, density."""
    tickets = frames["tickets"]
    return tickets.loc[~tickets["converged"], [*_TICKET, "density"]].drop_duplicates()


def without_unconverged(frames: Frames) -> Frames:
    """Every table without the rows of such tickets, and without the pairs that contain one.

    Where no ticket at all converged the rows stay, since there is nothing else to show.
    """
    if not frames["tickets"]["converged"].any():
        return frames
    left_out = pd.MultiIndex.from_frame(unconverged(frames)[_TICKET])
    return {name: _without(frame, left_out) for name, frame in frames.items()}


def unconverged_sentences(frames: Frames) -> list[str]:
    """A sentence that names the tickets that did not converge; an empty list if all did."""
    left_out, tickets = unconverged(frames), frames["tickets"][_TICKET].drop_duplicates()
    if left_out.empty:
        return []
    if len(left_out) == len(tickets):
        return ["No ticket converged: every number here is of networks that learned nothing."]
    names = ", ".join(
        f"variant {row.variant}, seed {row.seed}, {row.density:.1%} density"
        for row in left_out.itertuples(index=False)
    )
    return [
        f"{len(left_out)} of {len(tickets)} tickets did not converge ({names}): "
        "`results/*.parquet` has their rows, but no mean or figure here includes them."
    ]


def _without(frame: pd.DataFrame, tickets: pd.MultiIndex) -> pd.DataFrame:
    """The rows of a table in which no ticket column names one of these tickets."""
    for column in ("ticket", "ticket_a", "ticket_b"):
        if column in frame:
            named = pd.MultiIndex.from_frame(frame[["variant", "seed", column]])
            frame = frame[~named.isin(tickets)]
    return frame
