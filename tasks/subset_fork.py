"""Stage `subset_fork`: a fork of the rewind point that trains on a part of the images.

Those that the forks on all images forgot least often are left out, or those that they forgot most
often (SGD noise, appendix A.1). What the forks come to is measured by `subset_instability`.
"""

from argparse import Namespace

from lp_core.data.subsets import without
from tasks.kit.cli import run
from tasks.kit.difficulty import rewind_difficulty
from tasks.kit.fork_run import fork_trainer, train_fork
from tasks.kit.forks import Fork
from tasks.kit.removed import parsed
from tasks.kit.starts import REWIND, start_files, start_point
from tasks.kit.torchrun import under_torchrun


def main(arguments: Namespace) -> None:
    """Train one fork and count what it forgets."""
    variant, seed, removed = arguments.variant, arguments.seed, arguments.removed
    fork = Fork(variant, seed, REWIND, arguments.noise, removed)
    trainer = fork_trainer("subset_fork", fork)
    which, share = parsed(removed)
    hard = rewind_difficulty(variant, seed)
    trainer.train_on(without(hard, which, share, seed))
    point, files = start_point(variant, seed, REWIND), start_files(variant, seed, REWIND)
    train_fork("subset_fork", fork, trainer, point, files)


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        removed="sgd_noise.subsets.removed",
        noise=int,
        code=("subset_fork", "networks/{variant}"),
    )
