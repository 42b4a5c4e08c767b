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

from lp_core.analysis.diversity import disagreement, kl_divergence
from lp_core.pooling.interpolation import interpolate
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.cli import progress, run
from tasks.kit.lines import Lines, barriers
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import Row, write_rows
from tasks.kit.trail import Trail


def main(arguments: Namespace) -> None:
    """Write all four tables' rows of one variant and seed."""
    variant, seed = arguments.variant, arguments.seed
    landscape = Landscape(variant, seed)
    path, heights = landscape.interpolation()
    write_rows(
        paths.rows("landscape", variant, seed, "tickets"),
        landscape.bench.head("landscape", variant, seed),
        {
            "heatmap": list(landscape.heatmap()),
            "interpolation": path,
            "disagreement": list(landscape.disagreement()),
            "barriers": heights,
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
        self.lines = Lines(self.bench, params, seed)
        self.scores: dict[int, dict[str, Scores]] = {}
        self.logits: dict[int, Tensor] = {}
        for number in self.numbers:
            ticket = self.load(number)
            self.logits[number], _ = self.bench.predict(ticket, "test")
            self.scores[number] = self.lines.scores(ticket)

    def load(self, number: int) -> Ticket:
        """A ticket, where the network is."""
        return self.bench.to_device(self.trail.load(number))

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
                    pair = self.lines.scores(mean, "test")
                cell = {"ticket_a": a, "ticket_b": b, "density": sparser.density}
                yield cell | {"accuracy": pair["test"].accuracy}

    def interpolation(self) -> tuple[list[Row], list[Row]]:
        """The lines between neighbours, and their barriers: rows of both tables."""
        points, heights = [], []
        neighbours = list(pairwise(self.numbers))
        for a, b in progress(neighbours, f"{self.label}, neighbours"):
            line = self.lines.between(self.load(a), self.load(b), self.scores[a], self.scores[b])
            pair = {"ticket_a": a, "ticket_b": b}
            points += [pair | row for row in line]
            heights += [pair | row for row in barriers(line)]
        return points, heights

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


if __name__ == "__main__":
    run(main, variant="variants", seed=int, code=("landscape", "networks/{variant}"))
