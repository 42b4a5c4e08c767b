"""Stage `landscape`: how the tickets of one run relate to one another (Figures 1, 2 and 8).

Every pair averaged (the heat map), the straight line between neighbours and its barrier, and how
differently any two of them predict. Nothing is chosen here, so all of it may look at test images.
"""

import math
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import Tensor

from lp_core.analysis.connectivity import error_barrier
from lp_core.analysis.diversity import disagreement, kl_divergence
from lp_core.data.augment_spec import AugmentSpec
from lp_core.pooling.batch_norm import calibration_batches, re_estimate
from lp_core.pooling.interpolation import interpolate
from lp_core.seeds import noise_seed
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores, scores
from tasks.kit import paths
from tasks.kit import resume as resuming
from tasks.kit.bench import Network
from tasks.kit.cli import progress, run
from tasks.kit.params import Params
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows

_BETWEEN = [i / 10 for i in range(1, 10)]

Row = dict[str, Any]


class Landscape:
    """The trained tickets of one variant and seed, what each scores, and what lies between."""

    def __init__(self, variant: str, seed: int) -> None:
        """Evaluates every ticket once."""
        params = Params(variant)
        self.variant, self.seed = variant, seed
        self.network = network = Network(params)
        self.numbers = network.numbers
        self.calibration: list[Tensor] = []
        if params.section("pool.batch_norm", str) == "re-estimate":
            self.calibration = calibration_batches(
                network.dataset,
                params.section("pool.final_calibration_images", int),
                params.section("train.augment", AugmentSpec),
                noise_seed(seed, None, 0),
                network.compute,
            )
        self.scores: dict[int, dict[str, Scores]] = {}
        self.logits: dict[int, Tensor] = {}
        for number in self.numbers:
            ticket = self.load(number)
            self.logits[number], labels = network.predict(ticket, "test")
            val = network.scores(ticket, "val")
            self.scores[number] = {"val": val, "test": scores(self.logits[number], labels)}

    def load(self, number: int) -> Ticket:
        """A ticket, where the network is."""
        return self.network.load(paths.ticket(self.variant, self.seed, number))

    def between(self, a: Ticket, b: Ticket, alpha: float, keep: int, *splits: str) -> list[Scores]:
        """Of alpha·a + (1 − alpha)·b on each split, batch norm re-estimated."""
        network, mean = self.network, interpolate(a, b, alpha, keep)
        ticket = re_estimate(mean, network.model, self.calibration, network.compute)
        return [network.scores(ticket, split) for split in splits]

    def heatmap(self) -> Iterator[Row]:
        """Test accuracy of every average of two, as dense as the sparser of them."""
        for a in progress(self.numbers, f"landscape@{self.variant}-{self.seed}, pairs"):
            one = self.load(a)
            for b in self.numbers[self.numbers.index(a) :]:
                other = self.load(b)
                sparser = min(one, other, key=lambda ticket: ticket.kept)
                found = self.scores[a]["test"]
                if a != b:
                    (found,) = self.between(one, other, 0.5, sparser.kept, "test")
                about = {"ticket_a": a, "ticket_b": b, "density": sparser.density}
                yield about | {"accuracy": found.accuracy}

    def interpolation(self) -> Iterator[Row]:
        """Error and loss on the line between neighbours: the line itself, so nothing is pruned."""
        neighbours = list(pairwise(self.numbers))
        for a, b in progress(neighbours, f"landscape@{self.variant}-{self.seed}, neighbours"):
            one, other = self.load(a), self.load(b)
            path = {0.0: self.scores[b], 1.0: self.scores[a]}
            for alpha in _BETWEEN:
                val, test = self.between(one, other, alpha, one.prunable, "val", "test")
                path[alpha] = {"val": val, "test": test}
            for alpha, by_split in sorted(path.items()):
                for split, found in by_split.items():
                    point = {"ticket_a": a, "ticket_b": b, "alpha": alpha, "split": split}
                    yield point | {"error": 1 - found.accuracy, "loss": found.nll}

    def disagreement(self) -> Iterator[Row]:
        """How differently each two predict the test images; NaN where one diverged."""
        for a in self.numbers:
            one = self._probs(a)
            for b in self.numbers:
                other = self._probs(b)
                differing = disagreement(one.argmax(1), other.argmax(1))
                known = bool(one.isfinite().all() and other.isfinite().all())
                yield {
                    "ticket_a": a,
                    "ticket_b": b,
                    "disagreement": differing if known else math.nan,
                    "kl": kl_divergence(one, other),
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
    found = []
    for (a, b, split), path in lines.items():
        known = math.isfinite(path[0]["loss"]) and math.isfinite(path[-1]["loss"])
        height = {
            f"{kind}_barrier": error_barrier([p[kind] for p in path]) if known else math.nan
            for kind in ("error", "loss")
        }
        found.append({"ticket_a": a, "ticket_b": b, "split": split} | height)
    return found


def main(arguments: Namespace) -> None:
    """Write all four tables' rows of one variant and seed."""
    variant, seed = arguments.variant, arguments.seed
    resuming.forget(variant, seed, f"landscape@{variant}-{seed}")  # all its tickets are recorded
    landscape = Landscape(variant, seed)
    found = {
        "heatmap": list(landscape.heatmap()),
        "interpolation": list(landscape.interpolation()),
        "disagreement": list(landscape.disagreement()),
    }
    found["barriers"] = barriers(found["interpolation"])
    found["stages"] = [provenance("landscape", "tickets", landscape.network.compute)]
    write_rows(paths.rows("landscape", variant, seed, "tickets"), found)


if __name__ == "__main__":
    run(main, "variant", "seed")
