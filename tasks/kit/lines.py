"""The straight line between two networks, as the stages measure it: scores on it, and its barrier.

Batch norm is re-estimated for every point, the ends included, so that no barrier is one of
statistics alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from lp_core.analysis.connectivity import error_barrier
from lp_core.pooling.batch_norm import re_estimate
from lp_core.pooling.interpolation import interpolate
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores
from tasks.kit.bench import Bench
from tasks.kit.calibration import calibration_images
from tasks.kit.params import Params
from tasks.kit.rows import Row

_BETWEEN = [i / 10 for i in range(1, 10)]

BySplit = Mapping[str, Scores]


class Lines:
    """Scores networks of one variant and seed, all of them on the same calibration images.

    splits: on which lines are measured.
    """

    def __init__(
        self, bench: Bench, params: Params, seed: int, splits: Sequence[str] = ("val", "test")
    ) -> None:
        """Reads pooling.scoring.batch_norm (`average` re-estimates nothing), the number of
        calibration images beside it, and train.augment."""
        self.bench, self.splits = bench, splits
        self._calibration = self._images(params, seed)

    def _images(self, params: Params, seed: int) -> list[Tensor]:
        if params.section("pooling.scoring.batch_norm", str) == "average":
            return []
        count = params.section("pooling.scoring.calibration_images", int)
        return calibration_images(self.bench, params, seed, count)

    def scores(self, ticket: Ticket, *splits: str) -> dict[str, Scores]:
        """Scores by split, batch norm re-estimated; on the splits of lines where none is given."""
        ticket = re_estimate(ticket, self.bench.model, self._calibration, self.bench.compute)
        return {split: self.bench.scores(ticket, split) for split in splits or self.splits}

    def between(self, a: Ticket, b: Ticket, scores_a: BySplit, scores_b: BySplit) -> list[Row]:
        """Error and loss by alpha (the weight of `a`, rising) and split. Nothing is pruned: it is
        the line itself. scores_a, scores_b: what `scores` says of the ends."""
        path = {0.0: scores_b, 1.0: scores_a}
        for alpha in _BETWEEN:
            path[alpha] = self.scores(interpolate(a, b, alpha, a.prunable))
        return [
            {"alpha": alpha, "split": split, "error": 1 - found.accuracy, "loss": found.nll}
            for alpha, by_split in sorted(path.items())
            for split, found in by_split.items()
        ]


def barriers(line: Iterable[Row]) -> list[Row]:
    """Of each split of a line (`Lines.between`), in error and in loss (SGD noise, equation 3).

    NaN where the loss at an end is not finite: a network that diverged is the end of no line.
    """
    paths: dict[str, list[Row]] = {}
    for row in line:
        paths.setdefault(row["split"], []).append(row)
    rows = []
    for split, path in paths.items():
        known = math.isfinite(path[0]["loss"]) and math.isfinite(path[-1]["loss"])
        height = {
            f"{kind}_barrier": error_barrier([p[kind] for p in path]) if known else math.nan
            for kind in ("error", "loss")
        }
        rows.append({"split": split} | height)
    return rows
