"""Rows of the table `diversity`: how differently networks predict the same images."""

import math
from collections.abc import Mapping
from itertools import permutations
from typing import Any

from torch import Tensor

from lp_core.analysis.diversity import disagreement, kl_divergence
from tasks.kit.rows import Row


def diversity_rows(logits: Mapping[int, Tensor], **whose: Any) -> list[Row]:
    """A row for each ordered pair of networks; NaN where one of them diverged.

    logits: of each network by its number, N×classes. whose: the rows' other columns.
    """
    # Float64: in float32 a class beyond 104 nats has probability 0, and KL is infinite.
    probs = {number: of_one.double().softmax(1) for number, of_one in logits.items()}
    rows = []
    for a, b in permutations(probs, 2):
        known = bool(probs[a].isfinite().all() and probs[b].isfinite().all())
        differing = disagreement(probs[a].argmax(1), probs[b].argmax(1))
        rows.append(
            {
                **whose,
                "a": a,
                "b": b,
                "disagreement": differing if known else math.nan,
                "kl": kl_divergence(probs[a], probs[b]),
            }
        )
    return rows
