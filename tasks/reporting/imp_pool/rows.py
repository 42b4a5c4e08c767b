"""Which rows of the tables are of the flow imp-pool."""

from tasks.reporting.frames import Frames


def own(frames: Frames) -> Frames:
    """The tables without what other flows put into them: their rows name an ending or a method of
    training, where these name a ticket."""
    curves, ood = frames["curves"], frames["ood"]
    ood = ood[ood["ending"].isna()]
    return frames | {
        "curves": curves[curves["method"].isna()],
        "ood": ood.astype({"ticket": "int64"}),  # others' rows have none, which makes floats of all
    }
