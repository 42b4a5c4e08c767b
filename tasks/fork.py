"""Stage `fork`: one training of several from the same start, under a noise seed of its own.

The start is the rewind point, or a ticket there (its mask, untrained). What the forks come to, and
whether they lie in one basin, is measured by the stage `instability`.
"""

from argparse import Namespace

from tasks.kit.cli import run
from tasks.kit.fork_run import fork_trainer, train_fork
from tasks.kit.forks import Fork
from tasks.kit.starts import start_files, start_point
from tasks.kit.torchrun import under_torchrun


def main(arguments: Namespace) -> None:
    """Train one fork and count what it forgets."""
    variant, seed, start = arguments.variant, arguments.seed, arguments.start
    fork = Fork(variant, seed, start, arguments.noise)
    point, files = start_point(variant, seed, start), start_files(variant, seed, start)
    train_fork("fork", fork, fork_trainer("fork", fork), point, files)


if __name__ == "__main__":
    run(
        under_torchrun(main),
        variant="variants",
        seed=int,
        start="sgd_noise.starts",
        noise=int,
        code=("fork", "networks/{variant}"),
    )
