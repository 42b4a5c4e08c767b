"""Stage `pretrain`: from the initialisation to the rewind point (Algorithm 1, line 1)."""

from argparse import Namespace

from lp_core.tickets import Ticket
from lp_core.training.spec import RewindSpec
from tasks.kit import paths, resume
from tasks.kit.cli import run
from tasks.kit.dense import dense_masks
from tasks.kit.provenance import provenance
from tasks.kit.rewind_epoch import rewind_epoch
from tasks.kit.rows import write_rows
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train the dense network up to the epoch that tickets rewind to, and keep it."""
    variant, seed = arguments.variant, arguments.seed
    trainer = StageTrainer(resume.stage_name("pretrain", variant, seed), variant, seed)
    spec = trainer.params.section("rewind", RewindSpec)
    masks, epochs = (
        dense_masks(trainer),
        range(rewind_epoch(spec, variant, seed, trainer.spec.epochs)),
    )

    finished = trainer.train(masks, epochs, trainer.state(masks, epochs))
    if not trainer.workers.first:
        return
    meta = {"variant": variant, "seed": seed, "epochs": len(epochs)}
    ticket = Ticket.of(trainer.model, masks, trainer.meta | meta)
    ticket.save(paths.ticket(variant, seed, "rewind"))
    ran = provenance("pretrain", "rewind", trainer.compute, finished.seconds)
    write_rows(
        paths.rows("pretrain", variant, seed, "rewind"),
        trainer.bench.head("pretrain", variant, seed),
        {
            "curves": trainer.curve_rows(finished, ticket=None, density=ticket.density),
            "stages": [ran],
        },
    )
    resume.finish(finished.state)


if __name__ == "__main__":
    run(under_torchrun(main), variant="variants", seed=int, code=("pretrain", "networks/{variant}"))
