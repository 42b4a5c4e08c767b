"""Stage `imp`: one round of iterative magnitude pruning (Algorithm 1, lines 3 and 4).

Prunes the parent ticket by magnitude, goes back to the rewind point, trains to completion. What the
ticket is worth is measured by the stage `ood`.
"""

from argparse import Namespace
from dataclasses import replace

from lp_core.sparsity.rounds import next_mask
from lp_core.tickets import Ticket, read_digest
from tasks.kit import paths, resume
from tasks.kit.cli import run
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.starts import REWIND, start_point
from tasks.kit.ticket_run import train_ticket
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train one ticket; `--parent rewind` makes the dense one."""
    variant, seed, number = arguments.variant, arguments.seed, arguments.ticket
    name = resume.stage_name("imp", variant, seed, f"round{number}")
    trainer = StageTrainer(name, variant, seed, number)
    rewind = paths.ticket(variant, seed, "rewind")
    parent = paths.ticket(variant, seed, arguments.parent)
    origin, point = Ticket.load(parent), start_point(variant, seed, REWIND)
    masks = point.mask
    if parent != rewind:
        masks = next_mask(origin, trainer.params.section("imp.fraction", float))
    trained = train_ticket(trainer, replace(point, mask=masks), [rewind, parent])
    if trained is None:
        return
    ticket, finished = trained.ticket, trained.finished
    for path, loaded in ((rewind, point), (parent, origin)):
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
    }
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


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        ticket=int,
        parent=str,
        code=("imp", "networks/{variant}"),
    )
