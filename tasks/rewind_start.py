"""Stage `rewind_start`: where the search for the first stable epoch begins.

It leaves the state of a training before its first epoch, and nothing known of any epoch.
"""

from argparse import Namespace

from tasks.kit import resume
from tasks.kit.cli import run
from tasks.kit.dense import dense_masks
from tasks.kit.rewind_search import START, STATE, RewindSearch
from tasks.kit.torchrun import under_torchrun
from tasks.kit.training import StageTrainer


def main(arguments: Namespace) -> None:
    """Keep the initial weights of a variant and seed."""
    variant, seed = arguments.variant, arguments.seed
    trainer = StageTrainer(resume.stage_name("rewind_start", variant, seed), variant, seed)
    masks, epochs = dense_masks(trainer), range(0)
    trainer.train(masks, epochs, trainer.state(masks, epochs))
    if not trainer.workers.first:
        return
    folder = RewindSearch(variant, seed, START, trainer.spec.epochs).save()
    trainer.save(folder / STATE)


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        code=("rewind_start", "networks/{variant}"),
    )
