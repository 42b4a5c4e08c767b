"""Stage `imp`: one round of iterative magnitude pruning (Algorithm 1, lines 3 and 4).

Prunes the parent ticket by magnitude, goes back to the rewind point, trains to completion.
"""

import math
from argparse import Namespace

from lp_core.analysis.flops import flops
from lp_core.sparsity.rounds import next_mask
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from lp_core.training.evaluation import above_chance
from lp_core.training.spec import RewindSpec
from tasks.kit import paths
from tasks.kit import resume as resuming
from tasks.kit.cli import run
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.training import Run, spread


def main(arguments: Namespace) -> None:
    """Train one ticket; `--parent rewind` makes the dense one."""
    variant, seed, number = arguments.variant, arguments.seed, arguments.ticket
    this = Run(variant, seed, number)
    start = paths.ticket(variant, seed, "rewind")
    inputs = [start]
    rewind = Ticket.load(start)
    mask = rewind.mask
    if arguments.parent != "rewind":
        inputs.append(paths.ticket(variant, seed, arguments.parent))
        fraction = this.params.section("imp", ImpSpec).fraction
        mask = next_mask(Ticket.load(inputs[-1]), fraction)
    rewind.load_into(this.model)
    first = this.params.section("rewind", RewindSpec).epochs

    finished = this(mask, range(first, this.train.epochs), inputs)
    if not this.workers.first:
        return
    scores = {split: this.scores(this.model, split) for split in ("val", "test")}
    val = scores["val"].accuracy
    finite = math.isfinite(finished.curve[-1].loss)
    converged = finite and above_chance(val, this.dataset.labels("val"))
    ticket = Ticket.of(this.model, mask, rewind.meta)
    ticket.meta |= {
        "ticket": number,
        "parent": arguments.parent,
        "epochs": this.train.epochs,
        "density": ticket.density,
        "converged": converged,
        "val_accuracy": val,
        "test_accuracy": scores["test"].accuracy,
    }
    ticket.save(paths.ticket(variant, seed, number))
    size = this.dataset.input_shape
    row = {
        "ticket": number,
        "density": ticket.density,
        "converged": converged,
        "flops": flops(this.model, size, mask),
        "parameters": sum(w.numel() for w in ticket.weights.values())
        - (ticket.prunable - ticket.kept),
        "train_seconds": finished.seconds,
    }
    write_rows(
        paths.rows("imp", variant, seed, number),
        {
            "tickets": [
                row | {"split": s, "accuracy": x.accuracy, "nll": x.nll, "ece": x.ece}
                for s, x in scores.items()
            ],
            "curves": this.curve_rows(finished, ticket.density),
            "stages": [provenance("imp", number, this.compute, finished.seconds)],
        },
    )
    resuming.finish(finished.state)


if __name__ == "__main__":
    run(spread(main), "variant", "seed", "ticket", "parent")
