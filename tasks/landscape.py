"""Stage `landscape`: how the tickets of one run relate to one another (Figures 1, 2 and 8).

Every pair averaged (the heat map), the straight line between neighbours and its barrier, and how
differently any two of them predict. Nothing is chosen here, so all of it may look at test images.

Batch norm is re-estimated for every cell of the heat map and every point of a line, the tickets
themselves included, so that neither a gain nor a barrier is one of statistics alone.
"""

import math
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from lp_core.analysis.connectivity import error_barrier
from lp_core.analysis.diversity import disagreement, kl_divergence
from lp_core.pooling.batch_norm import re_estimate
from lp_core.pooling.interpolation import interpolate
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.calibration import calibration_images
from tasks.kit.cli import progress, run
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows
from tasks.kit.trail import Trail

_BETWEEN = [i / 10 for i in range(1, 10)]


def main(arguments: Namespace) -> None:
    """Write all four tables' rows of one variant and seed."""
    variant, seed = arguments.variant, arguments.seed
    landscape = Landscape(variant, seed)
    lines = list(landscape.interpolation())
    write_rows(
        paths.rows("landscape", variant, seed, "tickets"),
        landscape.bench.head("landscape", variant, seed),
        {
            "heatmap": list(landscape.heatmap()),
            "interpolation": lines,
            "disagreement": list(landscape.disagreement()),
            "barriers": barriers(lines),
            "stages": [provenance("landscape", "tickets", landscape.bench.compute)],
        },
    )


class Landscape:
    """The trained tickets of one variant and seed, what each scores, and what lies between."""

    def __init__(self, variant: str, seed: int) -> None:
        """Evaluates every ticket, with its own statistics (logits) and re-estimated (scores)."""
        params = Params(variant)
        self.label = f"landscape@{variant}-{seed}"
        self.bench = Bench(params)
        self.trail = Trail(params, variant, seed)
        self.numbers = self.trail.numbers
        self.calibration = self._calibration_images(params, seed)
        self.scores: dict[int, dict[str, Scores]] = {}
        self.logits: dict[int, Tensor] = {}
        for number in self.numbers:
            ticket = self.load(number)
            self.logits[number], _ = self.bench.predict(ticket, "test")
            self.scores[number] = self.measure(ticket, "val", "test")

    def _calibration_images(self, params: Params, seed: int) -> list[Tensor]:
        if params.section("pooling.scoring.batch_norm", str) == "average":
            return []
        count = params.section("pooling.scoring.calibration_images", int)
        return calibration_images(self.bench, params, seed, count)

    def load(self, number: int) -> Ticket:
        """A ticket, where the network is."""
        return self.bench.to_device(self.trail.load(number))

    def measure(self, ticket: Ticket, *splits: str) -> dict[str, Scores]:
        """Scores by split, batch norm re-estimated."""
        ticket = re_estimate(ticket, self.bench.model, self.calibration, self.bench.compute)
        return {split: self.bench.scores(ticket, split) for split in splits}

    def heatmap(self) -> Iterator[Row]:
        """Test accuracy of every average of two, as dense as the sparser of them."""
        for a in progress(self.numbers, f"{self.label}, pairs"):
            ticket_a = self.load(a)
            for b in self.numbers[self.numbers.index(a) :]:
                ticket_b = self.load(b)
                sparser = min(ticket_a, ticket_b, key=lambda ticket: ticket.kept)
                pair = self.scores[a]
                if a != b:
                    mean = interpolate(ticket_a, ticket_b, 0.5, sparser.kept)
                    pair = self.measure(mean, "test")
                cell = {"ticket_a": a, "ticket_b": b, "density": sparser.density}
                yield cell | {"accuracy": pair["test"].accuracy}

    def interpolation(self) -> Iterator[Row]:
        """Error and loss on the line between neighbours: the line itself, so nothing is pruned."""
        neighbours = list(pairwise(self.numbers))
        for a, b in progress(neighbours, f"{self.label}, neighbours"):
            ticket_a, ticket_b = self.load(a), self.load(b)
            path = {0.0: self.scores[b], 1.0: self.scores[a]}
            for alpha in _BETWEEN:
                point = interpolate(ticket_a, ticket_b, alpha, ticket_a.prunable)
                path[alpha] = self.measure(point, "val", "test")
            for alpha, by_split in sorted(path.items()):
                for split, found in by_split.items():
                    where = {"ticket_a": a, "ticket_b": b, "alpha": alpha, "split": split}
                    yield where | {"error": 1 - found.accuracy, "loss": found.nll}

    def disagreement(self) -> Iterator[Row]:
        """How differently each two predict the test images; NaN where one diverged."""
        for a in self.numbers:
            probs_a = self._probs(a)
            for b in self.numbers:
                probs_b = self._probs(b)
                differing = disagreement(probs_a.argmax(1), probs_b.argmax(1))
                known = bool(probs_a.isfinite().all() and probs_b.isfinite().all())
                yield {
                    "ticket_a": a,
                    "ticket_b": b,
                    "disagreement": differing if known else math.nan,
                    "kl": kl_divergence(probs_a, probs_b),
                }

    def _probs(self, number: int) -> Tensor:
        # Float64: in float32 a class beyond 104 nats has probability 0, and KL is infinite.
        return self.logits[number].double().softmax(1)


def barriers(interpolation: list[Row]) -> list[Row]:
    """Of every pair and split in rows of the table `interpolation`, by rising alpha.

    NaN where the loss at an end is not finite: a network that diverged is the end of no line.
    """
    lines: dict[tuple[int, int, str], list[Row]] = {}
    for row in interpolation:
        lines.setdefault((row["ticket_a"], row["ticket_b"], row["split"]), []).append(row)
    rows = []
    for (a, b, split), path in lines.items():
        known = math.isfinite(path[0]["loss"]) and math.isfinite(path[-1]["loss"])
        height = {
            f"{kind}_barrier": error_barrier([p[kind] for p in path]) if known else math.nan
            for kind in ("error", "loss")
        }
        rows.append({"ticket_a": a, "ticket_b": b, "split": split} | height)
    return rows


if __name__ == "__main__":
    run(main, variant="variants", seed=int, code=("landscape", "networks/{variant}"))
