"""Stage `subset_instability`: the lines between forks that trained on a part of the images.

The part lacks the samples that were forgotten least, or most often (SGD noise, appendix A.1).
"""

from argparse import Namespace

from tasks.kit.cli import run
from tasks.kit.instability import measure


def main(arguments: Namespace) -> None:
    """Write the rows of the forks that lack the same samples."""
    variant, seed, removed = arguments.variant, arguments.seed, arguments.removed
    measure("subset_instability", variant, seed, "rewind", removed)


if __name__ == "__main__":
    run(
        main,
        variant="variants",
        seed=int,
        removed="sgd_noise.subsets.removed",
        code=("subset_instability", "networks/{variant}"),
    )
