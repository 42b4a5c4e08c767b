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
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train one ticket; `--parent rewind` makes the dense one."""
    variant, seed, number = arguments.variant, arguments.seed, arguments.ticket
    trainer = StageTrainer(variant, seed, number)
    start = paths.ticket(variant, seed, "rewind")
    inputs = [start]
    rewind = Ticket.load(start)
    mask = rewind.mask
    if arguments.parent != "rewind":
        inputs.append(paths.ticket(variant, seed, arguments.parent))
        fraction = trainer.params.section("imp", ImpSpec).fraction
        mask = next_mask(Ticket.load(inputs[-1]), fraction)
    rewind.load_into(trainer.model)
    first = trainer.params.section("rewind", RewindSpec).epochs

    finished = trainer.train(mask, range(first, trainer.spec.epochs), inputs)
    if not trainer.workers.first:
        return
    scores = {split: trainer.scores(trainer.model, split) for split in ("val", "test")}
    val = scores["val"].accuracy
    finite = math.isfinite(finished.curve[-1].loss)
    converged = finite and above_chance(val, trainer.dataset.labels("val"))
    ticket = Ticket.of(trainer.model, mask, rewind.meta)
    ticket.meta |= {
        "ticket": number,
        "parent": arguments.parent,
        "epochs": trainer.spec.epochs,
        "density": ticket.density,
        "converged": converged,
        "val_accuracy": val,
        "test_accuracy": scores["test"].accuracy,
    }
    ticket.save(paths.ticket(variant, seed, number))
    size = trainer.dataset.input_shape
    row = {
        "ticket": number,
        "density": ticket.density,
        "converged": converged,
        "flops": flops(trainer.model, size, mask),
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
            "curves": trainer.curve_rows(finished, ticket.density),
            "stages": [provenance("imp", number, trainer.compute, finished.seconds)],
        },
    )
    resuming.finish(finished.state)


if __name__ == "__main__":
    run(under_torchrun(main), "variant", "seed", "ticket", "parent")
