"""Stage `pretrain`: from the initialisation to the rewind point (Algorithm 1, line 1)."""

from argparse import Namespace

import torch

from lp_core.models.structure import prunable
from lp_core.sparsity.spec import ImpSpec
from lp_core.tickets import Ticket
from lp_core.training.spec import RewindSpec
from tasks.kit import paths
from tasks.kit import resume as resuming
from tasks.kit.cli import run
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Train the dense network for `rewind.epochs` epochs and keep it."""
    variant, seed = arguments.variant, arguments.seed
    trainer = StageTrainer(variant, seed, ticket=None)
    rewind = trainer.params.section("rewind", RewindSpec)
    kind = trainer.params.section("imp", ImpSpec).prunable
    weights = dict(trainer.model.named_parameters())
    mask = {n: torch.ones_like(weights[n], dtype=torch.bool) for n in prunable(trainer.model, kind)}

    finished = trainer.train(mask, range(rewind.epochs), inputs=[])
    if not trainer.workers.first:
        return
    meta = {
        "dataset": trainer.dataset_name,
        "model": trainer.model_spec.name,
        "variant": variant,
        "init_seed": trainer.seeds.init,
        "noise_seed": trainer.seeds.noise,
        "epochs": rewind.epochs,
    }
    Ticket.of(trainer.model, mask, meta).save(paths.ticket(variant, seed, "rewind"))
    write_rows(
        paths.rows("pretrain", variant, seed, "rewind"),
        {
            "curves": trainer.curve_rows(finished, density=1.0),
            "stages": [provenance("pretrain", "rewind", trainer.compute, finished.seconds)],
        },
    )
    resuming.finish(finished.state)


if __name__ == "__main__":
    run(under_torchrun(main), "variant", "seed")
