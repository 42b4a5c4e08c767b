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
from tasks.kit.training import Run, spread


def main(arguments: Namespace) -> None:
    """Train the dense network for `rewind.epochs` epochs and keep it."""
    variant, seed = arguments.variant, arguments.seed
    this = Run(variant, seed, ticket=None)
    rewind = this.params.section("rewind", RewindSpec)
    kind = this.params.section("imp", ImpSpec).prunable
    weights = dict(this.model.named_parameters())
    mask = {n: torch.ones_like(weights[n], dtype=torch.bool) for n in prunable(this.model, kind)}

    finished = this(mask, range(rewind.epochs), inputs=[])
    if not this.workers.first:
        return
    meta = {
        "dataset": this.dataset_name,
        "model": this.model_spec.name,
        "variant": variant,
        "init_seed": seed,
        "noise_seed": seed,
        "epochs": rewind.epochs,
    }
    Ticket.of(this.model, mask, meta).save(paths.ticket(variant, seed, "rewind"))
    write_rows(
        paths.rows("pretrain", variant, seed, "rewind"),
        {
            "curves": this.curve_rows(finished, density=1.0),
            "stages": [provenance("pretrain", "rewind", this.compute, finished.seconds)],
        },
    )
    resuming.finish(finished.state)


if __name__ == "__main__":
    run(spread(main), "variant", "seed")
