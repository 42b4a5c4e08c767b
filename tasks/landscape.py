"""Stage `landscape`: how the tickets of one run lie to one another (Figures 1, 2 and 8).

Every pair averaged (the heat map), the straight line between neighbours and its barrier, and how
differently any two of them predict. Nothing is chosen here, so all of it may look at test images.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from lp_core.analysis.connectivity import error_barrier
from lp_core.analysis.diversity import disagreement, kl_divergence
from lp_core.data.augment import AugmentSpec
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.interpolation import interpolate
from lp_core.pooling.preparing import prepare
from lp_core.pooling.spec import PoolSpec
from lp_core.seeds import noise_seed
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from tasks import paths
from tasks.networks import Network
from tasks.params import Params
from tasks.provenance import provenance
from tasks.rows import Rows, write_rows
from tasks.stage import progress, run

_ALPHAS = [i / 10 for i in range(11)]
_SPLITS = ("val", "test")

Row = dict[str, Any]


def main(arguments: Namespace) -> None:
    """Compare every ticket with those after it."""
    variant, seed = arguments.variant, arguments.seed
    params = Params(variant)
    numbers = [line.ticket for line in params.section("imp", ImpSpec).rounds]
    network = Network(params)
    spec = params.section("pool", PoolSpec)
    augment = params.section("train.augment", AugmentSpec)
    drawn = noise_seed(seed, None, 0)
    held_out = prepare(network.model, network.dataset, spec, augment, drawn, network.compute)

    def load(number: int) -> Ticket:
        ticket = Ticket.load(paths.ticket(variant, seed, number))
        return ticket.to(network.compute.device, network.compute.layout)

    found: Rows = {name: [] for name in ("heatmap", "interpolation", "barriers")}
    for a in progress(numbers, f"landscape@{variant}-{seed}"):
        one = load(a)
        found["heatmap"].append(_cell(a, a, one, network))
        for b in (number for number in numbers if number > a):
            other = load(b)
            mean = interpolate(one, other, 0.5, min(one.kept, other.kept))
            found["heatmap"].append(_cell(a, b, held_out.finish(mean), network))
            if (a, b) in pairwise(numbers):
                path = list(_path(one, other, held_out, network))
                about = {"ticket_a": a, "ticket_b": b}
                found["interpolation"] += [about | point for point in path]
                found["barriers"] += [about | barrier for barrier in _barriers(path)]
    found["disagreement"] = list(_disagreements(numbers, load, network))
    found["stages"] = [provenance("landscape", "tickets", network.compute)]
    write_rows(paths.rows("landscape", variant, seed, "tickets"), found)


def _cell(a: int, b: int, ticket: Ticket, network: Network) -> Row:
    accuracy = network.scores(ticket, "test").accuracy
    return {"ticket_a": a, "ticket_b": b, "density": ticket.density, "accuracy": accuracy}


def _path(a: Ticket, b: Ticket, held_out: HeldOut, network: Network) -> Iterator[Row]:
    """Scores along the line from b (alpha 0) to a (alpha 1): the line itself, so unpruned."""
    for alpha in _ALPHAS:
        ends = {0.0: b, 1.0: a}
        point = ends.get(alpha) or held_out.finish(interpolate(a, b, alpha, keep=a.prunable))
        for split in _SPLITS:
            scores = network.scores(point, split)
            yield {"alpha": alpha, "split": split, "error": 1 - scores.accuracy, "loss": scores.nll}


def _barriers(path: list[Row]) -> Iterator[Row]:
    for split in _SPLITS:
        here = [point for point in path if point["split"] == split]
        yield {"split": split} | {
            f"{kind}_barrier": error_barrier([point[kind] for point in here])
            for kind in ("error", "loss")
        }


def _disagreements(
    numbers: list[int], load: Callable[[int], Ticket], network: Network
) -> Iterator[Row]:
    probs = {n: network.predict(load(n), "test")[0].softmax(1) for n in numbers}
    classes = {number: found.argmax(1) for number, found in probs.items()}
    for a in numbers:
        for b in numbers:
            yield {
                "ticket_a": a,
                "ticket_b": b,
                "disagreement": disagreement(classes[a], classes[b]),
                "kl": kl_divergence(probs[a], probs[b]),
            }


if __name__ == "__main__":
    run(main, "variant", "seed")
