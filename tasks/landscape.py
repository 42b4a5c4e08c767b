"""Stage `landscape`: how the tickets of one run lie to one another (Figures 1, 2 and 8).

Every pair averaged (the heat map), the straight line between neighbours and its barrier, and how
differently any two of them predict. Nothing is chosen here, so all of it may look at test images.
"""

from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import Tensor

from lp_core.analysis.connectivity import error_barrier
from lp_core.analysis.diversity import disagreement, kl_divergence
from lp_core.data.augment import AugmentSpec
from lp_core.pooling.interpolation import interpolate
from lp_core.pooling.preparing import prepare
from lp_core.pooling.spec import PoolSpec
from lp_core.seeds import noise_seed
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import Scores, scores
from tasks import paths
from tasks.networks import Network
from tasks.params import Params
from tasks.provenance import provenance
from tasks.rows import write_rows
from tasks.stage import progress, run

_BETWEEN = [i / 10 for i in range(1, 10)]

Row = dict[str, Any]


class Landscape:
    """The trained tickets of one variant and seed, what each scores, and what lies between."""

    def __init__(self, variant: str, seed: int) -> None:
        """Evaluates every ticket once."""
        params = Params(variant)
        self.variant, self.seed = variant, seed
        self.numbers = [line.ticket for line in params.section("imp", ImpSpec).rounds]
        self.network = network = Network(params)
        self.held_out = prepare(
            network.model,
            network.dataset,
            params.section("pool", PoolSpec),
            params.section("train.augment", AugmentSpec),
            noise_seed(seed, None, 0),
            network.compute,
        )
        self.scores: dict[int, dict[str, Scores]] = {}
        self.probs: dict[int, Tensor] = {}
        for number in self.numbers:
            ticket = self.load(number)
            logits, labels = network.predict(ticket, "test")
            self.probs[number] = logits.softmax(1)
            val = network.scores(ticket, "val")
            self.scores[number] = {"val": val, "test": scores(logits, labels)}

    def load(self, number: int) -> Ticket:
        """A ticket, where the network is."""
        ticket = Ticket.load(paths.ticket(self.variant, self.seed, number))
        return ticket.to(self.network.compute.device, self.network.compute.layout)

    def between(self, a: Ticket, b: Ticket, alpha: float, keep: int, *splits: str) -> list[Scores]:
        """Of alpha·a + (1 − alpha)·b on each split, batch norm re-estimated."""
        ticket = self.held_out.finish(interpolate(a, b, alpha, keep))
        return [self.network.scores(ticket, split) for split in splits]

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
        """How differently each two predict the test images."""
        classes = {number: probs.argmax(1) for number, probs in self.probs.items()}
        for a in self.numbers:
            for b in self.numbers:
                yield {
                    "ticket_a": a,
                    "ticket_b": b,
                    "disagreement": disagreement(classes[a], classes[b]),
                    "kl": kl_divergence(self.probs[a], self.probs[b]),
                }


def barriers(interpolation: list[Row]) -> list[Row]:
    """Of every pair and split in rows of the table `interpolation`, by rising alpha."""
    lines: dict[tuple[int, int, str], list[Row]] = {}
    for row in interpolation:
        lines.setdefault((row["ticket_a"], row["ticket_b"], row["split"]), []).append(row)
    return [
        {"ticket_a": a, "ticket_b": b, "split": split}
        | {f"{kind}_barrier": error_barrier([p[kind] for p in path]) for kind in ("error", "loss")}
        for (a, b, split), path in lines.items()
    ]


def main(arguments: Namespace) -> None:
    """Write all four tables' rows of one variant and seed."""
    landscape = Landscape(arguments.variant, arguments.seed)
    found = {
        "heatmap": list(landscape.heatmap()),
        "interpolation": list(landscape.interpolation()),
        "disagreement": list(landscape.disagreement()),
    }
    found["barriers"] = barriers(found["interpolation"])
    found["stages"] = [provenance("landscape", "tickets", landscape.network.compute)]
    write_rows(paths.rows("landscape", arguments.variant, arguments.seed, "tickets"), found)


if __name__ == "__main__":
    run(main, "variant", "seed")
