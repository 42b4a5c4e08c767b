"""What the corrupted images of a run are, in a sentence."""

from typing import Any

import pandas as pd

from tasks.kit.params import Params


def corrupted_sentences(ood: pd.DataFrame, params: Params, dataset: str) -> list[str]:
    """How many corruptions and severities, where they come from, and on how many images; nothing
    where none were measured. ood: that table."""
    counts = ood[["corruption", "severity"]].nunique()
    if not counts["corruption"]:
        return []
    settings = params.section(f"corrupt.{dataset}", dict[str, Any])
    origin = "the official ones"
    if settings.get("source", "generate") == "generate":
        origin = "generated (comparable with published sets where images are 32×32)"
    images = settings.get("images")
    sample = "all" if images is None else f"a class-balanced {images} of the"
    return [
        f"Corrupted images: {counts['corruption']} corruptions (the benchmark's own mean is over "
        f"15) at {counts['severity']} severities, {origin}, {sample} test images for each."
    ]
