"""Stage `imp`: one round of iterative magnitude pruning (Algorithm 1, lines 3 and 4).

Prunes the parent ticket by magnitude, goes back to the rewind point, trains to completion. What the
ticket is worth is measured by the stage `ood`.
"""

import math
from argparse import Namespace
from typing import Any

from lp_core.sparsity.rounds import next_mask
from lp_core.tickets import Ticket, read_digest
from lp_core.training.best import KeepBest
from lp_core.training.curve import Epoch
from lp_core.training.evaluation import above_chance
from tasks.kit import paths, resume
from tasks.kit.cli import run
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train one ticket; `--parent rewind` makes the dense one."""
    variant, seed, number = arguments.variant, arguments.seed, arguments.ticket
    name = resume.stage_name("imp", variant, seed, f"round{number}")
    trainer = StageTrainer(name, variant, seed, number)
    rewind = paths.ticket(variant, seed, "rewind")
    parent = paths.ticket(variant, seed, arguments.parent)
    start, origin = Ticket.load(rewind), Ticket.load(parent)
    masks = start.mask
    if parent != rewind:
        masks = next_mask(origin, trainer.params.section("imp.fraction", float))
    start.load_into(trainer.model)
    epochs = range(trainer.params.section("rewind.epochs", int), trainer.spec.epochs)
    best = KeepBest()
    wants_best = trainer.params.section("imp.checkpoint", str) == "best"

    state = trainer.state(masks, epochs, [rewind, parent], settings=[wants_best])
    finished = trainer.train(masks, epochs, state, hooks=[best] if wants_best else [])
    if not trainer.workers.first:
        return
    end = finished.curve[-1]
    if wants_best:
        trainer.model.load_state_dict(best.tensors)
        end = next(row for row in finished.curve if row.epoch == best.epoch)
    ticket = Ticket.of(trainer.model, masks, start.meta)
    for path, loaded in ((rewind, start), (parent, origin)):
        if read_digest(path) != loaded.digest:
            raise RuntimeError(
                f"{path} changed while this ran; the ticket is of the old; run again"
            )
    ticket.meta |= {
        "seed": seed,
        "ticket": number,
        "parent": arguments.parent,
        "lineage": origin.meta.get("lineage", {})
        | {arguments.parent: [origin.digest, origin.meta.get("converged", True)]},
        "epochs": end.epoch + 1,
        "density": ticket.density,
        "precision": trainer.compute.precision,
    } | _outcome(trainer, end)
    ticket.save(paths.ticket(variant, seed, number))
    ran = provenance("imp", number, trainer.compute, finished.seconds)
    write_rows(
        paths.rows("imp", variant, seed, number),
        trainer.bench.head("imp", variant, seed, ticket=number),
        {
            "curves": trainer.curve_rows(finished, ticket=number, density=ticket.density),
            "trainings": [{"ticket": number, "train_seconds": finished.seconds}],
            "stages": [ran],
        },
    )
    resume.finish(finished.state)
    # These tickets are recorded, or this stage would not have started.
    resume.forget(resume.stage_name("pretrain", variant, seed))
    resume.forget(resume.stage_name("imp", variant, seed, f"round{arguments.parent}"))


def _outcome(trainer: StageTrainer, end: Epoch) -> dict[str, Any]:
    """Held-out accuracy after the ticket's epoch, and whether its training came to anything."""
    labels = trainer.bench.dataset.labels("val")
    converged = math.isfinite(end.loss) and above_chance(end.val_accuracy, labels)
    return {"converged": converged, "val_accuracy": end.val_accuracy}


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        ticket=int,
        parent=str,
        code=("imp", "networks/{variant}"),
    )
