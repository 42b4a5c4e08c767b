"""Which rows of the tables are of the flow sup-tickets, and which of its runs converged."""

import pandas as pd

from tasks.reporting.frames import Frames

_RUN = ["variant", "seed", "method", "ending"]


def own(frames: Frames) -> Frames:
    """The tables without what imp-pool put into those that both flows fill."""
    curves, ood = frames["curves"], frames["ood"]
    return frames | {
        "curves": curves[curves["method"].notna()],
        "ood": ood[ood["ending"].notna()],
    }


def unconverged(frames: Frames) -> pd.DataFrame:
    """One row for each ending that did not converge. Columns variant, seed, method, ending."""
    rows = frames["sup_tickets"]
    return rows.loc[~rows["converged"].astype(bool), _RUN].drop_duplicates()


def without_unconverged(frames: Frames) -> Frames:
    """Every table of `own` without the rows of such endings, and without the pairs that contain
    one; where no ending at all converged, the rows stay, since there is nothing else to show."""
    lost = unconverged(frames)
    if lost.empty or len(lost) == len(frames["sup_tickets"][_RUN].drop_duplicates()):
        return frames
    return {name: _without(frame, lost) for name, frame in frames.items()}


def unconverged_sentences(frames: Frames) -> list[str]:
    """A sentence that names what did not converge; an empty list if all did."""
    lost, runs = unconverged(frames), frames["sup_tickets"][_RUN].drop_duplicates()
    if lost.empty:
        return []
    if len(lost) == len(runs):
        return ["No sparse training converged: its numbers are of networks that learned nothing."]
    names = ", ".join(
        f"variant {row.variant}, {row.method}, ending {row.ending}, seed {row.seed}"
        for row in lost.itertuples(index=False)
    )
    return [
        f"{len(lost)} of {len(runs)} sparse trainings did not converge ({names}): "
        "`results/*.parquet` has their rows, but no mean or figure here includes them."
    ]


def _without(frame: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    if not set(_RUN) <= set(frame):
        return frame
    gone = pd.MultiIndex.from_frame(lost)
    kept = frame[~pd.MultiIndex.from_frame(frame[_RUN]).isin(gone)]
    if "kind" in kept and (kept["kind"] == "seeds").any():  # b is the other seed
        others = pd.MultiIndex.from_frame(kept[["variant", "b", "method", "ending"]])
        kept = kept[~(others.isin(gone) & (kept["kind"] == "seeds"))]
    return kept
