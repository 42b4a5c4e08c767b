"""Stage `sparse`: a sparse training from scratch, up to the epoch at which its endings part.

It leaves the state of the training (Sup-tickets, Algorithm 1, lines 1 to 4), from which plain and
superposing endings go on: they share what came before, and so are compared as pairs.
"""

from argparse import Namespace

from tasks.kit import paths, resume
from tasks.kit.cli import run
from tasks.kit.layers import layer_rows
from tasks.kit.provenance import provenance
from tasks.kit.rows import write_rows
from tasks.kit.sparse_run import SparseRun
from tasks.kit.torchrun import under_torchrun


def main(arguments: Namespace) -> None:
    """Train one method for `sup_tickets.start` epochs and keep the state."""
    variant, seed, method = arguments.variant, arguments.seed, arguments.method
    sparse = SparseRun(resume.stage_name("sparse", variant, seed, method), variant, seed, method)
    trainer, epochs = sparse.trainer, range(sparse.start)
    masks = sparse.initial_masks()

    state = trainer.state(masks, epochs, settings=[sparse.method], code=sparse.code)
    finished = trainer.train(masks, epochs, state, hooks=sparse.hooks())
    if not trainer.workers.first:
        return
    trainer.save(paths.prefix(variant, method, seed))
    whose = {"method": method, "ending": None}
    ran = provenance("sparse", method, trainer.compute, finished.seconds)
    write_rows(
        paths.rows("sparse", variant, seed, method),
        trainer.bench.head("sparse", variant, seed, **whose),
        {
            "curves": sparse.curve_rows(finished, ending=None),
            "layer_density": layer_rows(masks, **whose, epoch=0)
            + layer_rows(trainer.masks, **whose, epoch=len(finished.curve)),
            "trainings": [whose | {"train_seconds": finished.seconds}],
            "stages": [ran],
        },
    )
    resume.finish(finished.state)


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        method="sup_tickets.training",
        code=("sparse", "networks/{variant}", "sparse_methods/{method}"),
    )
